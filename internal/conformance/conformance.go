// Package conformance compares announced phases with observed ones.
//
// A Monitor reads telemetry, whoever sent it: the counters and events of package
// phase, the events of the mediator, and spans that carry fencing tokens and job
// ids. From that alone it computes the phase indicators M1, M2, M3, M5 and M6 and
// finds the failures F1, F2, F4 and F5. docs/phases.md explains them; each file
// here has the formula of what it computes.
//
// Counters are exact whatever the sampling of spans. They come as cumulative sums:
// what counts is the growth from point to point, and a value that fell is a
// process that was started anew. Of an emitter that the monitor meets in its first
// two minutes the first point is only a beginning, since most of what it counts
// was before; one that appears later is new, and all of it counts.
//
// A Monitor is safe for concurrent use. It keeps one hour of counts in buckets of
// ten seconds, and one day of jobs. Its bounds: maxSeries series a bucket,
// maxEmitters series of emitters, maxSubjects subjects, maxSteps steps of a
// lineage, maxJobs jobs, maxTokens tenures of a subject. What is beyond is not
// counted, and Report.Dropped says how much that was.
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
	newcomer    = 2 * time.Minute
	maxSeries   = 5_000
	maxEmitters = 50_000
	maxSubjects = 100_000
	maxJobs     = 500_000
	maxTokens   = 10_000
	maxSteps    = 1_000
)

// A Monitor computes indicators from telemetry.
type Monitor struct {
	contracts func(id string) *contract.Contract
	began     time.Time

	mu       sync.Mutex
	emitters map[string]emitted // the last point of each cumulative series
	buckets  map[int64]map[series]float64
	epochs   map[epochKey]*epoch
	subjects map[subjectKey]*timeline
	lineages map[subjectKey][]step
	observed map[observer]uint64
	gaps     map[observer]gap
	jobs     map[string]*job
	tenures  map[string]map[uint64]*tenure
	dropped  int
}

// New returns a monitor that knows contracts by name and version. One that it is
// not told of counts for what its emitter said. now is when it begins.
func New(contracts func(id string) *contract.Contract, now time.Time) *Monitor {
	return &Monitor{
		contracts: contracts, began: now,
		emitters: make(map[string]emitted), buckets: make(map[int64]map[series]float64),
		epochs: make(map[epochKey]*epoch), subjects: make(map[subjectKey]*timeline), lineages: make(map[subjectKey][]step),
		observed: make(map[observer]uint64), gaps: make(map[observer]gap),
		jobs: make(map[string]*job), tenures: make(map[string]map[uint64]*tenure),
	}
}

// Add takes a batch in. The order of batches matters only within one cumulative
// series, and the same event twice counts once.
func (m *Monitor) Add(b telemetry.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range b.Points {
		if p.Name == attr.MetricPhaseInteractions {
			m.count(p)
		}
	}
	for _, l := range b.Logs {
		m.event(l)
	}
	for _, s := range b.Spans {
		m.job(s)
		m.fenced(s)
	}
}

// event takes an event of the mediator or of package phase.
func (m *Monitor) event(l *telemetry.Log) {
	key := subjectKey{l.Attributes.First(attr.PhaseContract), l.Attributes.First(attr.PhaseSubject)}
	e, err := strconv.ParseUint(l.Attributes.First(attr.PhaseEpoch), 10, 64)
	if err != nil || key.subject == "" {
		return
	}
	switch l.EventName {
	case attr.EventPhaseAnnounced:
		m.announced(key, e, l)
	case attr.EventPhaseAcked:
		m.acked(key, e, l)
	case attr.EventPhaseEnforced:
		m.enforced(key, e, l)
	case attr.EventPhaseObserved:
		m.seen(key, e, l)
	}
}

// subjectKey names a subject: the id of its contract, and its key.
type subjectKey struct{ contract, subject string }

// lookup finds a contract, nil if it is not known.
func (m *Monitor) lookup(id string) *contract.Contract {
	if m.contracts == nil {
		return nil
	}
	return m.contracts(id)
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

// forget drops what is too old for any window.
func (m *Monitor) forget(now time.Time) {
	for at := range m.buckets {
		if time.Unix(at, 0).Add(keep + bucketSize).Before(now) {
			delete(m.buckets, at)
		}
	}
	for key, e := range m.epochs {
		if now.Sub(e.committed) > keep {
			delete(m.epochs, key)
		}
	}
	for key, steps := range m.lineages {
		for len(steps) > 0 && now.Sub(steps[0].at) > 2*keep {
			steps = steps[1:]
		}
		if m.lineages[key] = steps; len(steps) == 0 {
			delete(m.lineages, key)
		}
	}
	for key, t := range m.subjects {
		if now.Sub(t.last) > lookback {
			delete(m.subjects, key)
		}
	}
	for o := range m.observed {
		if m.subjects[o.subjectKey] == nil {
			delete(m.observed, o)
			delete(m.gaps, o)
		}
	}
	for id, e := range m.emitters {
		if now.Sub(e.at) > lookback {
			delete(m.emitters, id)
		}
	}
	for id, j := range m.jobs {
		if now.Sub(j.first) > lookback {
			delete(m.jobs, id)
		}
	}
	for subject, list := range m.tenures {
		for token, t := range list {
			if now.Sub(t.seen) > keep {
				delete(list, token)
			}
		}
		if len(list) == 0 {
			delete(m.tenures, subject)
		}
	}
}
