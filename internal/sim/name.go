package sim

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"example.test/eddy/attr"
)

// describe encodes what does not change: resources, names and static attributes.
func (t *tap) describe() {
	s := t.sim
	for i, st := range s.stations {
		t.now = append(t.now, none)
		t.resources = append(t.resources, resource{station: int32(i), next: none})
		if v, ok := st.owner.(*service); ok {
			t.resources[i].version = v.base.Version
			t.now[i] = int32(len(t.identities))
			t.identities = append(t.identities, identity{resource: int32(i), flags: v.base.Flags, skew: t.spec.Skew, before: none})
		}
	}
	t.newest = slices.Clone(t.now)
	// Servers first, by the edge over which they are reached; then clients.
	for _, d := range s.edges {
		t.names = append(t.names, t.serverName(d))
	}
	for _, d := range s.edges {
		t.names = append(t.names, t.clientName(d))
	}
	for i := range t.names {
		n := &t.names[i]
		t.side.reset()
		t.side.text(5, "name", n.name)
		t.side.enum(6, "kind", n.kind)
		n.head = bytes.Clone(t.side.bytes())
	}
}

// encode returns attributes as they stand in a list, to be repeated.
func (t *tap) encode(num int, list []attribute) []byte {
	t.side.reset()
	attributes(t.side, num, list)
	return bytes.Clone(t.side.bytes())
}

// identify is told what an instance is from now on. What was told of it before stays
// true of what happened before, however late that is sent.
func (t *tap) identify(st *station, spec *Service) {
	t.become(st.id, identity{resource: t.process(st, spec.Version), flags: spec.Flags, skew: t.spec.Skew})
}

// become makes an identity the present one of an instance.
func (t *tap) become(station int32, is identity) {
	for i := t.newest[station]; i != none; i = t.identities[i].before {
		if old := &t.identities[i]; old.resource == is.resource && old.skew == is.skew && slices.Equal(old.flags, is.flags) {
			t.now[station] = i
			return
		}
	}
	is.before = t.newest[station]
	t.now[station] = int32(len(t.identities))
	t.newest[station] = t.now[station]
	t.identities = append(t.identities, is)
}

// process returns the resource of a version of an instance.
func (t *tap) process(st *station, version string) int32 {
	i := st.id
	for t.resources[i].version != version {
		if t.resources[i].next == none {
			t.resources[i].next = int32(len(t.resources))
			t.resources = append(t.resources, resource{station: st.id, version: version, next: none})
		}
		i = t.resources[i].next
	}
	return i
}

// encoded returns the attributes of a resource.
func (t *tap) encoded(i int32) []byte {
	r := &t.resources[i]
	if r.encoded != nil {
		return r.encoded
	}
	st := t.sim.stations[r.station]
	service := st.owner.(*service).base.ID
	list := []attribute{
		{key: attr.ServiceName, text: service},
		{key: attr.ServiceInstanceID, text: instanceName(service, st.instance)},
		{key: attr.DeploymentEnvironmentName, text: t.spec.Environment},
	}
	if r.version != "" {
		list = append(list, attribute{key: attr.ServiceVersion, text: r.version})
	}
	r.encoded = t.encode(1, list)
	return r.encoded
}

func instanceName(service string, instance int) string { return service + "-" + strconv.Itoa(instance) }

// operation splits "POST /checkout" into method and route. A name without a
// method is a route.
func operation(op, service string) (method, route string) {
	if op == "" {
		return "POST", "/" + service
	}
	if m, r, ok := strings.Cut(op, " "); ok && strings.ToUpper(m) == m {
		return m, r
	}
	return "POST", "/" + strings.TrimPrefix(op, "/")
}

func (s *Sim) operationOf(d *edge) (method, route string) {
	for _, w := range s.workloads {
		if w.edge == d {
			return operation(w.base.Op, d.to)
		}
	}
	for _, v := range s.services {
		if v.id == d.callee {
			return operation(v.base.Op, d.to)
		}
	}
	return operation("", d.to)
}

func (t *tap) serverName(d *edge) spanName {
	method, route := t.sim.operationOf(d)
	v, _ := t.sim.nodes[d.callee].(*service)
	if from, ok := t.sim.byName[d.from]; ok {
		if st, ok := t.sim.nodes[from].(*stream); ok {
			return spanName{name: "process " + d.from, kind: spanConsumer, service: v, static: messaging(st, "process")}
		}
	}
	return spanName{
		name: method + " " + route, kind: spanServer, service: v, http: true,
		static: []attribute{
			{key: attr.HTTPRequestMethod, text: method}, {key: attr.HTTPRoute, text: route}, {key: attr.URLScheme, text: "http"},
		},
	}
}

func (t *tap) clientName(d *edge) spanName {
	switch callee := t.sim.nodes[d.callee].(type) {
	case *store:
		return spanName{name: "query " + d.to, kind: spanClient, static: []attribute{
			{key: attr.DBSystemName, text: cmp.Or(callee.base.System, "other_sql")},
			{key: attr.DBNamespace, text: d.to},
			{key: attr.ServerAddress, text: d.to},
		}}
	case *cache:
		return spanName{name: "GET " + d.to, kind: spanClient, static: []attribute{
			{key: attr.DBSystemName, text: "redis"},
			{key: attr.DBNamespace, text: d.to},
			{key: attr.DBOperationName, text: "GET"},
			{key: attr.ServerAddress, text: d.to},
		}}
	case *stream:
		return spanName{name: "send " + d.to, kind: spanProducer, static: messaging(callee, "send")}
	}
	method, route := t.sim.operationOf(d)
	return spanName{name: method + " " + route, kind: spanClient, http: true, static: []attribute{
		{key: attr.HTTPRequestMethod, text: method},
		{key: attr.URLTemplate, text: route},
		{key: attr.ServerAddress, text: d.to},
		{key: attr.ServicePeerName, text: d.to},
	}}
}

func messaging(v *stream, operation string) []attribute {
	return []attribute{
		{key: attr.MessagingSystem, text: cmp.Or(v.base.System, "kafka")},
		{key: attr.MessagingDestinationName, text: v.base.ID},
		{key: attr.MessagingOperationType, text: operation},
		{key: attr.MessagingOperationName, text: operation},
	}
}
