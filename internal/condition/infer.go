package condition

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// An InferrerConfig says when states are inferred. The zero value of a field
// means its default.
type InferrerConfig struct {
	// Reported is how near a reported change of a version must be for none to be
	// inferred. Default 10 min.
	Reported time.Duration
	// Live is how long after its last span a version counts as serving. Default
	// 60 s.
	Live time.Duration
	// Settle is how long one version must have served alone for a rollout to be
	// over, and how long a version must not have served to be gone. Default 2 min.
	Settle time.Duration
	// High and Low are the shares of a connection pool in use at which it is
	// above 90 % and no longer is. Default 0.9 and 0.8.
	High, Low float64
	// MaxServices bounds what is followed: services, pools, and versions of
	// each. Default 10,000.
	MaxServices int
}

// An Inferrer finds out states that nobody reported: versions from spans that
// carry a new one, rollouts from several versions that serve at once, full
// connection pools from their metrics. It applies what it finds to the
// timeline and returns it, so that it is stored and shown.
//
// The versions that serve when an inferrer first sees a service are taken to be
// no news, unless the timeline says that another one was in force. Services and
// pools beyond MaxServices are not followed. An inferrer is not safe for
// concurrent use.
type Inferrer struct {
	config   InferrerConfig
	timeline *Timeline
	services map[string]*fleet
	pools    map[poolKey]*pool
	owners   map[string]*poolState // by entity
	swept    time.Time             // when the pools were last judged
}

// A fleet is the versions of one service.
type fleet struct {
	service  string
	versions map[string]*version
	current  string // the version that came last
	rollout  bool
	alone    time.Time // since when only one version serves
}

type version struct {
	noted    time.Time // when it began to serve, by the inferrer's clock
	last     time.Time // when it last did, by the inferrer's clock
	begun    time.Time // when it began to, by its first span
	requests int       // since then
}

// NewInferrer returns an inferrer that knows what was reported from timeline.
func NewInferrer(c InferrerConfig, timeline *Timeline) *Inferrer {
	c.Reported = orDefault(c.Reported, 10*time.Minute)
	c.Live = orDefault(c.Live, time.Minute)
	c.Settle = orDefault(c.Settle, 2*time.Minute)
	c.MaxServices = orDefault(c.MaxServices, 10_000)
	if c.High <= 0 {
		c.High = 0.9
	}
	if c.Low <= 0 || c.Low > c.High {
		c.Low = c.High - 0.1
	}
	return &Inferrer{
		config:   c,
		timeline: timeline,
		services: make(map[string]*fleet),
		pools:    make(map[poolKey]*pool),
		owners:   make(map[string]*poolState),
	}
}

// rollout is the dimension of the state that several versions serve at once.
const rollout = "rollout"

// ObserveRequests learns the versions that served the requests and returns the
// changes that follow, by time. Call it once a step, with no requests if there
// are none: time alone ends a rollout.
func (f *Inferrer) ObserveRequests(now time.Time, requests []request.Request) []*telemetry.Change {
	var out []*telemetry.Change
	for i := range requests {
		var last *telemetry.Resource
		for _, s := range requests[i].Spans {
			if s.Resource != last && s.Resource.Version != "" {
				out = append(out, f.serve(now, s)...)
			}
			last = s.Resource
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.services)) {
		out = append(out, f.settle(now, f.services[name])...)
	}
	return f.apply(out)
}

// serve notes that a span's version serves.
func (f *Inferrer) serve(now time.Time, s *telemetry.Span) []*telemetry.Change {
	service := s.Resource.Service
	fl := f.services[service]
	fresh := fl == nil
	if fresh {
		if len(f.services) >= f.config.MaxServices {
			return nil
		}
		fl = &fleet{service: service, versions: make(map[string]*version)}
		_, fl.rollout = f.inForce(service, rollout, now) // from before a restart
		f.services[service] = fl
	}
	v := fl.versions[s.Resource.Version]
	if v != nil {
		away := now.Sub(v.last)
		v.last = now
		v.requests++
		if away > f.config.Live {
			v.noted, v.begun, v.requests = now, f.start(now, s), 1
		}
		if away <= f.config.Reported {
			return nil
		}
	} else {
		if len(fl.versions) >= 100 {
			return nil
		}
		v = &version{noted: now, last: now, begun: f.start(now, s), requests: 1}
		fl.versions[s.Resource.Version] = v
	}
	return f.arrived(now, fl, s.Resource.Version, v, fresh)
}

// start is when a span says that it began, within what can be: the clock is
// the emitter's.
func (f *Inferrer) start(now time.Time, s *telemetry.Span) time.Time {
	if s.Start.After(now) || now.Sub(s.Start) > f.config.Reported {
		return now
	}
	return s.Start
}

// arrived says that a version serves that did not before.
func (f *Inferrer) arrived(now time.Time, fl *fleet, name string, v *version, fresh bool) []*telemetry.Change {
	previous := fl.current
	fl.current = name
	known, isKnown := f.inForce(fl.service, attr.ServiceVersion, now)
	switch {
	case isKnown && known.Value == name:
		return nil
	case f.reported(fl.service, name, now):
		return nil
	case fresh && !isKnown:
		return nil
	case isKnown && previous == "":
		previous = known.Value
	case previous == "" && len(fl.versions) == 1:
		return nil
	}
	if previous == name {
		previous = ""
	}
	return []*telemetry.Change{inferred(&telemetry.Change{
		Time: v.begun, Kind: telemetry.ChangeDeploy, Entity: fl.service, Dimension: attr.ServiceVersion,
		Value: name, Previous: previous, Origin: telemetry.OriginInferred,
		Summary: fmt.Sprintf("%s %s began to serve; nobody reported a deploy", fl.service, name),
	})}
}

func (f *Inferrer) inForce(entity, dimension string, at time.Time) (State, bool) {
	for _, s := range f.timeline.InForce(entity, "", at) {
		if s.Dimension == dimension {
			return s, true
		}
	}
	return State{}, false
}

// reported reports whether somebody said, near now, that the version was
// deployed.
func (f *Inferrer) reported(service, version string, now time.Time) bool {
	for _, h := range f.timeline.entities[service] {
		if h.dimension != attr.ServiceVersion {
			continue
		}
		for _, c := range h.changes {
			if c.Value == version && c.Origin == telemetry.OriginReported && now.Sub(c.Time).Abs() <= f.config.Reported {
				return true
			}
		}
	}
	return false
}

// settle says when a rollout began or ended, and when the version that came
// last is gone and an older one serves again.
func (f *Inferrer) settle(now time.Time, fl *fleet) []*telemetry.Change {
	var live []string
	for name, v := range fl.versions {
		switch {
		case now.Sub(v.last) <= f.config.Live:
			live = append(live, name)
		case now.Sub(v.last) > 24*time.Hour:
			delete(fl.versions, name)
		}
	}
	slices.Sort(live)
	if len(live) == 0 {
		if len(fl.versions) == 0 {
			delete(f.services, fl.service)
		}
		return nil // a service without traffic says nothing
	}
	var out []*telemetry.Change
	if c := f.rollout(now, fl, live); c != nil {
		out = append(out, c)
	}
	if c := f.rolledBack(now, fl, live); c != nil {
		out = append(out, c)
	}
	return out
}

// rollout begins when two versions serve, each of them more than once and the
// older one still after the newer one began: a switch from one to the other is
// none. It ends when one has served alone for Settle.
func (f *Inferrer) rollout(now time.Time, fl *fleet, live []string) *telemetry.Change {
	c := &telemetry.Change{
		Kind: telemetry.ChangeDeploy, Entity: fl.service, Dimension: rollout, Origin: telemetry.OriginDerived,
	}
	if len(live) > 1 {
		fl.alone = time.Time{}
		second := fl.second(live)
		if fl.rollout || !fl.overlap(live, second) {
			return nil
		}
		fl.rollout = true
		c.Time, c.Value = second.begun, "in progress"
		c.Summary = fmt.Sprintf("%s serves %s at once", fl.service, strings.Join(live, " and "))
		return inferred(c)
	}
	if fl.alone.IsZero() {
		fl.alone = now
	}
	if !fl.rollout || now.Sub(fl.alone) < f.config.Settle {
		return nil
	}
	fl.rollout = false
	c.Time, c.Ends, c.Previous = fl.alone, true, "in progress"
	if t := fl.lastOther(live[0]); !t.IsZero() {
		c.Time = t
	}
	c.Summary = fmt.Sprintf("%s serves only %s", fl.service, live[0])
	return inferred(c)
}

// lastOther is when another version than the one named last served.
func (fl *fleet) lastOther(name string) (last time.Time) {
	for other, v := range fl.versions {
		if other != name && v.last.After(last) {
			last = v.last
		}
	}
	return last
}

// second returns the second of the live versions to begin.
func (fl *fleet) second(live []string) *version {
	var versions []*version
	for _, name := range live {
		versions = append(versions, fl.versions[name])
	}
	slices.SortStableFunc(versions, func(a, b *version) int {
		return cmp.Or(a.noted.Compare(b.noted), a.begun.Compare(b.begun))
	})
	return versions[1]
}

// overlap reports whether two of the live versions served more than once, and
// after the second of them began.
func (fl *fleet) overlap(live []string, second *version) bool {
	n := 0
	for _, name := range live {
		if v := fl.versions[name]; v.requests > 1 && v.last.After(second.noted) {
			n++
		}
	}
	return n > 1
}

// rolledBack says that only an older version serves.
func (f *Inferrer) rolledBack(now time.Time, fl *fleet, live []string) *telemetry.Change {
	current := fl.versions[fl.current]
	if len(live) != 1 || live[0] == fl.current || (current != nil && now.Sub(current.last) < f.config.Settle) {
		return nil
	}
	previous := fl.current
	fl.current = live[0]
	if f.reported(fl.service, fl.current, now) {
		return nil
	}
	if s, ok := f.inForce(fl.service, attr.ServiceVersion, now); ok && s.Value == fl.current {
		return nil
	}
	c := &telemetry.Change{
		Time: now, Kind: telemetry.ChangeDeploy, Entity: fl.service, Dimension: attr.ServiceVersion,
		Value: fl.current, Previous: previous, Origin: telemetry.OriginInferred,
		Summary: fmt.Sprintf("%s serves only %s again", fl.service, fl.current),
	}
	if current != nil {
		c.Time = current.last
	}
	return inferred(c)
}

// inferred gives a change its id, a hash of what it says, so that finding the
// same out twice, after a restart, counts once.
func inferred(c *telemetry.Change) *telemetry.Change {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%s\x00%s\x00%s\x00%v\x00%d", c.Origin, c.Entity, c.Instance, c.Dimension, c.Value, c.Ends, c.Time.UnixNano())
	c.ID = fmt.Sprintf("%s-%016x", c.Origin, h.Sum64())
	c.Source = "eddy"
	return c
}

func (f *Inferrer) apply(changes []*telemetry.Change) []*telemetry.Change {
	slices.SortFunc(changes, func(a, b *telemetry.Change) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	f.timeline.Apply(changes...)
	return changes
}
