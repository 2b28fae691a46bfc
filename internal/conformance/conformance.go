// Package conformance compares the phases that are announced with those in force
// and believed.
//
// A Monitor reads telemetry, whoever sent it: the counters and events of package
// phase, the events of the mediator, requests whose spans say what was in force
// and what was believed, and spans that carry fencing tokens and job ids. From
// that alone it computes the phase indicators M1 to M9 and finds the failures F1
// to F5, subjects that flap, and subjects that are stuck. docs/phases.md explains
// them; each file here has the formula of what it computes.
//
// Services that announce nothing are judged by what an orchestrator reports of
// them, see infer.go. What follows from that is marked Inferred, and stands apart
// from what was announced.
//
// Counters are exact whatever the sampling of spans. They come as cumulative sums:
// what counts is the growth from point to point, and a value that fell, or a later
// start of the count, is a process that was started anew. Of an emitter that the
// monitor meets in its first two minutes the first point is only a beginning, since
// most of what it counts was before, unless it says that it began to count after the
// monitor did; one that appears later is new, and all of it counts.
//
// A Monitor never asks what time it is, and is safe for concurrent use. It keeps
// one hour of counts in buckets of ten seconds, one day of jobs, and 31 days of
// pages and of the budget; Save writes what of that must outlive the process. Its bounds are the constants below. What is beyond is
// not counted, and Report.Dropped says how much that was.
package conformance

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

const (
	bucketSize  = 10 * time.Second
	keep        = time.Hour
	lookback    = 24 * time.Hour
	month       = 30 * 24 * time.Hour
	newcomer    = 2 * time.Minute
	maxSeries   = 5_000   // of counters, in a bucket
	maxEmitters = 50_000  // series of emitters
	maxSubjects = 100_000 // subjects; consumers of subjects; callers; leases; endpoints
	maxJobs     = 500_000
	maxTokens   = 1_000  // tenures of a subject
	maxSteps    = 1_000  // steps of a lineage, beliefs of a consumer, states of an endpoint
	maxWrites   = 1_000  // writes of a subject, or of an instance, that are kept to be shown
	maxArrivals = 1_000  // arrivals at a subject that did not fit
	maxSuspects = 50_000 // failed requests that may be a phase's
	maxPages    = 10_000
	maxTraces   = 10 // exemplars of a finding
)

// A Config says what a Monitor is to know.
type Config struct {
	// Objective is the share of requests that must not fail, from which the budget
	// of M9 follows. Default 0.999.
	Objective float64
}

// A Monitor computes indicators from telemetry.
type Monitor struct {
	objective float64

	mu        sync.Mutex
	began     time.Time // the first Add
	counting  time.Time // since when the ledger counts, if that was before
	contracts map[string]*contract.Contract
	emitters  map[string]emitted // the last point of each cumulative series
	buckets   map[int64]map[series]float64
	epochs    map[epochKey]*epoch
	heard     map[heard]*Propagation // since the monitor began
	subjects  map[subjectKey]*timeline
	lineages  map[subjectKey][]step
	consumers map[observer][]belief
	callers   map[caller]map[int64]habit
	schema    map[int64]*exchange
	actions   map[subjectKey][]action
	jobs      map[string]*job
	tenures   map[string]map[uint64]*tenure
	writes    map[string][]Write
	pages     map[string]Page
	failures  map[failure][]stretch // of the last month, for pages
	ledger    ledger
	inferred  inferred
	dropped   int
}

// New returns a monitor. It learns contracts from Use.
func New(c Config) *Monitor {
	if c.Objective <= 0 || c.Objective >= 1 {
		c.Objective = 0.999
	}
	return &Monitor{
		objective: c.Objective, contracts: make(map[string]*contract.Contract),
		emitters: make(map[string]emitted), buckets: make(map[int64]map[series]float64),
		epochs: make(map[epochKey]*epoch), heard: make(map[heard]*Propagation), subjects: make(map[subjectKey]*timeline), lineages: make(map[subjectKey][]step),
		consumers: make(map[observer][]belief), callers: make(map[caller]map[int64]habit),
		schema: make(map[int64]*exchange), actions: make(map[subjectKey][]action),
		jobs: make(map[string]*job), tenures: make(map[string]map[uint64]*tenure), writes: make(map[string][]Write),
		pages: make(map[string]Page), failures: make(map[failure][]stretch), ledger: newLedger(), inferred: newInferred(),
	}
}

// Use makes a contract known. One that is not known counts for what its emitters
// said.
func (m *Monitor) Use(c *contract.Contract) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contracts[c.ID()] = c
}

// Add takes in what arrived at now. The order of batches matters only within one
// cumulative series, and the same event twice counts once.
func (m *Monitor) Add(now time.Time, b telemetry.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.began.IsZero() {
		m.began = now
	}
	for _, p := range b.Points {
		if p.Name == attr.MetricPhaseInteractions {
			m.count(p)
		}
	}
	for _, l := range b.Logs {
		if strings.HasPrefix(l.EventName, attr.EventPhase) {
			m.event(l)
		}
	}
	for _, c := range b.Changes {
		m.inferred.change(c)
	}
	for _, s := range b.Spans {
		if saysPhases(s) {
			m.job(s)
			m.fenced(s)
		}
	}
}

// saysPhases reports whether a span has any attribute of Eddy's: few do, and all
// spans pass here.
func saysPhases(s *telemetry.Span) bool {
	list := s.Attributes
	for len(list) > 0 { // the first key from "eddy." on
		half := len(list) / 2
		switch key := list[half].Key; {
		case strings.HasPrefix(key, "eddy."):
			return true
		case key < "eddy.":
			list = list[half+1:]
		default:
			list = list[:half]
		}
	}
	return false
}

// event takes an event of the mediator or of package phase.
func (m *Monitor) event(l *telemetry.Log) {
	if l.EventName == attr.EventPhasePaged {
		m.paged(l)
		return
	}
	key := subjectKey{l.Attributes.First(attr.PhaseContract), l.Attributes.First(attr.PhaseSubject)}
	if key.subject == "" {
		return
	}
	if l.EventName == attr.EventPhaseReconcile {
		m.reconciled(key, l)
		return
	}
	e, err := strconv.ParseUint(l.Attributes.First(attr.PhaseEpoch), 10, 64)
	if err != nil {
		return
	}
	switch l.EventName {
	case attr.EventPhaseAnnounced:
		m.announced(key, e, l)
	case attr.EventPhaseAcked:
		m.acked(key, e, l)
	case attr.EventPhaseEnforced:
		m.enforced(key, e, l)
	case attr.EventPhaseObserved, attr.EventPhaseExpired:
		m.believed(key, e, l)
	}
}

// subjectKey names a subject: the id of its contract, and its key.
type subjectKey struct{ contract, subject string }

// lookup finds a contract, nil if it is not known.
func (m *Monitor) lookup(id string) *contract.Contract { return m.contracts[id] }

// bound is how long news may take.
func (m *Monitor) bound(id string) time.Duration {
	if c := m.lookup(id); c != nil {
		return c.Propagation.Bound
	}
	return 2 * time.Second
}

// lineage is what a subject belongs to when its instances come and go.
func (m *Monitor) lineage(key subjectKey) subjectKey {
	c := m.lookup(key.contract)
	if c == nil || c.Subject.Kind != contract.Instance {
		return key
	}
	if i := strings.LastIndexByte(key.subject, '/'); i > 0 {
		key.subject = key.subject[:i]
	}
	return key
}
