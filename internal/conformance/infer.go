package conformance

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// Phases of subjects that announce nothing are read from what others report of
// them, as changes:
//
//	endpoint, pod  an orchestrator's conditions of an instance: not ready is INIT,
//	               ready ACTIVE, terminating DRAIN, not serving or gone SHUTDOWN
//	lease          who leads: each holder's time is a tenure
//	replicas       an autoscaler's directions: SCALE_UP and SCALE_DOWN
//	phase          what anybody reports as a phase, without a mediator
//
// An instance of which nothing was reported, of a service of which something was,
// is ACTIVE: orchestrators report what is not in order.
//
// What a caller believes is read from what it does: who sends a request to an
// instance believes that it takes some. A call that breaks at an instance that
// terminates shows that it takes none: evidence from the data path makes a phase
// stricter, never laxer.
type inferred struct {
	subjects map[place]*observed
	byName   map[string]*observed // endpoints, by instance
	services map[string]bool      // that have endpoints
	calls    map[int64]map[call]float64
	writers  map[writer][]Write
	dropped  int
}

// place is where a state is in force.
type place struct{ dimension, entity, instance string }

// key is how people name it.
func (p place) key() string {
	if p.instance == "" {
		return p.entity
	}
	return p.entity + "/" + p.instance
}

// dimensionPhase is the state that senders report as a phase, and dimensionEndpoint
// what is reported of an instance, as a pod and as an endpoint of whichever Service.
const (
	dimensionPhase    = "phase"
	dimensionEndpoint = "endpoint"
	dimensionReplicas = "replicas"
)

// The phases of an endpoint. They have the names of the example contract
// rolling-drain.
const (
	phaseInit     = "INIT"
	phaseActive   = "ACTIVE"
	phaseDrain    = "DRAIN"
	phaseShutdown = "SHUTDOWN"
)

// state is a phase, or a holder, and since when.
type state struct {
	at    time.Time
	phase string
}

// observed is what was reported of one subject.
type observed struct {
	place  place
	states []state // by time, neighbours differ
	source string
	bad    []arrival       // calls that broke at an endpoint that takes none
	tails  map[string]tail // by caller, of an endpoint that terminates
}

// tail is when a caller still sent to an endpoint that terminates.
type tail struct {
	last   time.Time
	n, bad int
}

// writer is an instance of a service.
type writer struct{ service, instance string }

func newInferred() inferred {
	return inferred{
		subjects: make(map[place]*observed), byName: make(map[string]*observed), services: make(map[string]bool),
		calls: make(map[int64]map[call]float64), writers: make(map[writer][]Write),
	}
}

// change takes what is reported of a phase. What the mediator tells of its own
// commits was announced, and is not inferred again.
func (f *inferred) change(c *telemetry.Change) {
	if c.Kind == telemetry.ChangeScale && c.Dimension == dimensionReplicas {
		f.scaled(c)
		return
	}
	if c.Kind != telemetry.ChangePhase || c.Source == MediatorSource {
		return
	}
	value, before, p := c.Value, c.Previous, place{c.Dimension, c.Entity, c.Instance}
	switch {
	case strings.HasPrefix(c.Dimension, telemetry.DimensionEndpoint), c.Dimension == telemetry.DimensionPod:
		p.dimension, value = dimensionEndpoint, endpointPhase(c.Dimension, c.Value)
		if c.Previous != "" {
			before = endpointPhase(c.Dimension, c.Previous)
		}
	case c.Dimension == telemetry.DimensionLease, c.Dimension == dimensionPhase:
	default:
		return
	}
	f.put(p, c, value, before)
}

// scaled takes in which direction a service is scaled.
func (f *inferred) scaled(c *telemetry.Change) {
	to, err1 := strconv.Atoi(c.Value)
	from, err2 := strconv.Atoi(c.Previous)
	if err1 != nil || err2 != nil || to == from {
		return // it does not say in which
	}
	direction := "SCALE_UP"
	if to < from {
		direction = "SCALE_DOWN"
	}
	f.put(place{dimensionReplicas, c.Entity, ""}, c, direction, "")
}

// put notes a state of a subject, and the one before where that is told and nothing
// is known yet.
func (f *inferred) put(p place, c *telemetry.Change, value, before string) {
	o := f.subjects[p]
	if o == nil {
		if len(f.subjects) >= maxSubjects {
			f.dropped++
			return
		}
		o = &observed{place: p, tails: make(map[string]tail)}
		f.subjects[p] = o
		if p.dimension == dimensionEndpoint {
			f.byName[c.Instance], f.services[c.Entity] = o, true
		}
		if before != "" {
			o.put(state{phase: before}) // since nobody knows when
		}
	}
	o.source = cmp.Or(c.Source, o.source)
	o.put(state{c.Time, value})
}

// MediatorSource is the source of the changes by which the analysis is told of what
// the mediator commits.
const MediatorSource = "eddy phases"

// endpointPhase is the phase that a value says; that of a state that has ended is "".
func endpointPhase(dimension, value string) string {
	switch value {
	case telemetry.EndpointReady:
		return phaseActive
	case telemetry.EndpointNotReady:
		return phaseInit
	case telemetry.EndpointServing:
		return phaseDrain
	case telemetry.EndpointTerminating:
		if dimension == telemetry.DimensionPod {
			return phaseDrain // whether it serves, its endpoint says
		}
	}
	return phaseShutdown
}

// put adds a state at its time; one that was in force already is no news.
func (o *observed) put(s state) {
	at, same := slices.BinarySearchFunc(o.states, s, func(a, b state) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.phase, b.phase)) })
	if same {
		return
	}
	o.states = slices.Insert(o.states, at, s)
	o.states = slices.CompactFunc(o.states, func(a, b state) bool { return a.phase == b.phase })
	if len(o.states) > maxSteps {
		o.states = o.states[1:]
	}
}

// stateAt is what was in force at a time; false if that is not known.
func (o *observed) stateAt(at time.Time) (state, bool) {
	for _, s := range slices.Backward(o.states) {
		if !s.at.After(at) {
			return s, true
		}
	}
	return state{}, false
}

// steps are the transitions of a subject. That nobody holds a lease is between two
// holders.
func (o *observed) steps() []step {
	var list []step
	before := ""
	for _, s := range o.states {
		if s.phase == "" {
			continue
		}
		if before != "" && before != s.phase {
			list = append(list, step{from: before, to: s.phase, at: s.at})
		}
		before = s.phase
	}
	return list
}

// phaseOf is the phase that was reported of an entity.
func (f *inferred) phaseOf(entity string, at time.Time) string {
	if o := f.subjects[place{dimensionPhase, entity, ""}]; o != nil {
		s, _ := o.stateAt(at)
		return s.phase
	}
	return ""
}

// write takes a job that was committed, or a write, without a token.
func (f *inferred) write(service string, w Write) {
	who := writer{service, w.Holder}
	list, known := f.writers[who]
	if !known && len(f.writers) >= maxSubjects {
		f.dropped++
		return
	}
	f.writers[who], _ = insertWrite(list, w)
}

// endpoint finds the endpoint that a span ran on: the instance of its service, or the
// pod, whatever its service is called there.
func (f *inferred) endpoint(s *telemetry.Span) *observed {
	if o := f.subjects[place{dimensionEndpoint, s.Resource.Service, s.Resource.Instance}]; o != nil && s.Resource.Instance != "" {
		return o
	}
	if name, ok := s.Resource.Attributes.Get(attr.K8SPodName); ok {
		return f.byName[name]
	}
	return nil
}

// peer finds the endpoint that a client turned to.
func (f *inferred) peer(s *telemetry.Span) *observed {
	for _, key := range []string{attr.NetworkPeerAddress, attr.ServerAddress} {
		if name, ok := s.Attributes.Get(key); ok {
			if o := f.byName[name]; o != nil {
				return o
			}
		}
	}
	return nil
}

// forget drops what is older than a window may be.
func (f *inferred) forget(now time.Time) {
	maps.DeleteFunc(f.calls, func(at int64, _ map[call]float64) bool { return time.Unix(at, 0).Add(keep + bucketSize).Before(now) })
	for who, list := range f.writers {
		if f.writers[who] = recent(list, now); len(f.writers[who]) == 0 {
			delete(f.writers, who)
		}
	}
	for p, o := range f.subjects {
		for len(o.bad) > 0 && now.Sub(o.bad[0].at) > keep {
			o.bad = o.bad[1:]
		}
		for len(o.states) > 1 && now.Sub(o.states[1].at) > lookback {
			o.states = o.states[1:]
		}
		// A phase may hold for months; an endpoint that is gone is not asked for.
		if last := o.states[len(o.states)-1]; p.dimension == dimensionEndpoint && last.phase == phaseShutdown && now.Sub(last.at) > 2*keep {
			delete(f.subjects, p)
			if f.byName[p.instance] == o {
				delete(f.byName, p.instance)
			}
		}
	}
}

// isHolder reports whether an identity of a lease is that of an instance: its name,
// with a suffix perhaps, as client libraries add one.
func isHolder(identity, instance string) bool {
	rest, ok := strings.CutPrefix(identity, instance)
	return ok && instance != "" && (rest == "" || rest[0] == '_' || rest[0] == '/')
}
