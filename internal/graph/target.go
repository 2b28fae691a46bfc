package graph

import (
	"net/netip"
	"slices"
	"strings"

	"example.test/eddy/attr"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Target is what a client, producer or consumer span says of the other side.
// Its Name is empty if the span says nothing.
type Target struct {
	// Name is what the graph calls it: the peer's name if the emitter gives
	// one, else the database, the destination, the host, or the product.
	Name   string
	Kind   Kind
	System string
	// Also are the other names under which people may know it, each once, by
	// name: a change may be reported for the host "orders-db" of the database
	// "orders".
	Also []string
}

// TargetOf returns what the span says of the other side. The target of a call
// that a service answers, with spans of its own, is that service; TargetOf
// does not know of it.
func TargetOf(s *telemetry.Span) Target {
	var peer, host, system, namespace, topic, broker, full string
	for _, a := range s.Attributes {
		switch attr.Current(a.Key) {
		case attr.ServicePeerName:
			peer = a.Value
		case attr.ServerAddress:
			host = hostName(a.Value)
		case attr.DBSystemName:
			system = a.Value
		case attr.DBNamespace:
			namespace = a.Value
		case attr.MessagingSystem:
			broker = a.Value
		case attr.MessagingDestinationTemplate:
			topic = a.Value
		case attr.MessagingDestinationName:
			if topic == "" {
				topic = request.Collapse(a.Value)
			}
		case attr.URLFull:
			full = a.Value
		}
	}
	t := Target{Kind: Peer}
	switch {
	case s.Kind == telemetry.KindProducer, s.Kind == telemetry.KindConsumer, topic != "":
		// Of a consumer, the peer and the host are the broker's, which several
		// queues share.
		t.Kind, t.System = Queue, broker
		t.take(topic, peer, host, broker)
	case system != "":
		t.Kind, t.System = storeKind(system), system
		t.take(peer, namespace, host, system)
	default:
		if host == "" {
			host = hostOf(full)
		}
		t.take(peer, host)
	}
	return t
}

// take makes the first of the names that is not empty the target's name, and
// the others Also.
func (t *Target) take(names ...string) {
	for _, n := range names {
		switch {
		case n == "" || n == t.Name:
		case t.Name == "":
			t.Name = n
		case n != t.System && !slices.Contains(t.Also, n):
			t.Also = append(t.Also, n)
		}
	}
	slices.Sort(t.Also)
}

// storeKind tells caches from stores by the product.
func storeKind(system string) Kind {
	switch system {
	case "redis", "valkey", "memcached", "hazelcast", "aws.elasticache", "dragonfly", "keydb":
		return Cache
	}
	return Store
}

// hostName shortens what names a host to what people call it: without a port,
// and without the domain of a cluster. An address in numbers names nothing
// that lasts, so it is left out.
func hostName(v string) string {
	if host, port, ok := strings.Cut(v, ":"); ok && !strings.Contains(port, ":") {
		v = host
	}
	if _, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
		return ""
	}
	if i := strings.Index(v, ".svc"); i > 0 && (i+4 == len(v) || v[i+4] == '.') {
		v, _, _ = strings.Cut(v, ".")
	}
	return strings.TrimSuffix(v, ".")
}

// hostOf returns the host of a URL, or "".
func hostOf(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return hostName(rest)
}

// Path returns the names of all that the request met, by name, each once: the
// services of its spans and of the spans upstream, and what they called, under
// every name that the spans give. States of these are in force for it.
func Path(r *request.Request) []string {
	var names []string
	last := "" // spans of one service often follow each other
	for _, list := range [][]*telemetry.Span{r.Spans, r.Upstream} {
		for _, s := range list {
			if s.Resource.Service != last {
				last = s.Resource.Service
				names = append(names, last)
			}
			switch s.Kind {
			case telemetry.KindClient, telemetry.KindProducer, telemetry.KindConsumer:
				if t := TargetOf(s); t.Name != "" {
					names = append(names, t.Name)
					names = append(names, t.Also...)
				}
			case telemetry.KindUnspecified, telemetry.KindInternal, telemetry.KindServer:
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
