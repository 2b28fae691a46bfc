package incident

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// Config says when incidents open and close. The zero value means the
// defaults.
type Config struct {
	// MinFailures is how many failures a cause must have to be worth telling
	// about. Default 10.
	MinFailures int `yaml:"min_failures"`
	// ToleratedFailed and ToleratedSlow are the shares of an entry's requests
	// that may end so without an incident when nothing explains them, 0 to 1.
	// Defaults 0.01 and 0.05.
	ToleratedFailed float64 `yaml:"tolerated_failed"`
	ToleratedSlow   float64 `yaml:"tolerated_slow"`
	// Recent is how far back failures count as going on. Default 1 min.
	Recent time.Duration `yaml:"recent"`
	// Quiet is how long nothing may fail, while there is traffic, before an
	// incident is closed. Default 2 min.
	Quiet time.Duration `yaml:"quiet"`
	// Reopen is how long after its close an incident is opened again, rather
	// than a new one, when the same conditions do harm again. Default 24 h.
	Reopen time.Duration `yaml:"reopen"`
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	c.MinFailures = cmp.Or(c.MinFailures, 10)
	c.ToleratedFailed = cmp.Or(c.ToleratedFailed, 0.01)
	c.ToleratedSlow = cmp.Or(c.ToleratedSlow, 0.05)
	c.Recent = cmp.Or(c.Recent, time.Minute)
	c.Quiet = cmp.Or(c.Quiet, 2*time.Minute)
	c.Reopen = cmp.Or(c.Reopen, 24*time.Hour)
	return c
}

// Validate reports the first field that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.MinFailures < 0:
		return fmt.Errorf("incident min_failures is %d: want 1 or more", c.MinFailures)
	case c.ToleratedFailed < 0 || c.ToleratedFailed > 1:
		return fmt.Errorf("incident tolerated_failed is %v: want a share from 0 to 1", c.ToleratedFailed)
	case c.ToleratedSlow < 0 || c.ToleratedSlow > 1:
		return fmt.Errorf("incident tolerated_slow is %v: want a share from 0 to 1", c.ToleratedSlow)
	case c.Recent < 0 || c.Quiet < 0 || c.Reopen < 0:
		return errors.New("incident recent, quiet and reopen: want durations that are not negative")
	}
	return nil
}

const (
	// identity is the overlap (Jaccard index) of covered failures from which on
	// two explanations are of the same cause.
	identity = 0.7
	// maxMoments bounds a timeline; the oldest repeated kinds go first.
	maxMoments = 200
	// enough is how many requests must have gone well before their going well
	// says anything. At a risk of 14 % or more, 20 in a row without a failure
	// happen in fewer than 5 % of cases.
	enough = 20
	// maxClosed bounds how many closed incidents are remembered for reopening.
	maxClosed = 1000
)

// A Tracker keeps one incident per cause over re-runs of the analysis. It is
// not safe for concurrent use.
//
// An incident is the same as long as the failures that its explanation covers
// are mostly the same, so it survives a finding that is sharpened from one
// condition to three. It remembers at most 1,000 closed incidents; older ones
// are not reopened, a new one is opened instead.
type Tracker struct {
	config Config
	list   []*tracked // by Opened
	day    string     // of the last id
	serial int        // of the last id
}

// tracked is an incident and what the tracker needs beside it.
type tracked struct {
	Incident
	dirty   bool
	counted time.Time       // the step up to which begin counted
	worded  map[string]bool // the explanations that the timeline shows, by sameness
}

// NewTracker returns a tracker that goes on from known incidents, as a store
// returned them; there are none at first.
func NewTracker(c Config, known []Incident) *Tracker {
	t := &Tracker{config: c.withDefaults()}
	for _, k := range known {
		x := &tracked{Incident: k}
		x.settle()
		if k.Finding != nil {
			x.reworded(*k.Finding)
		}
		t.list = append(t.list, x)
		t.continueFrom(k.ID)
	}
	slices.SortStableFunc(t.list, func(a, b *tracked) int {
		return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.ID, b.ID))
	})
	return t
}

// A Step is what an analysis knows when it asks for incidents.
type Step struct {
	Now    time.Time
	Window telemetry.Window
	// Dictionary is what the numbers in observations stand for.
	Dictionary *condition.Dictionary
	// Fresh are the observations that were completed since the last step, all
	// of them; Kept are those of the window that were kept.
	Fresh, Kept []condition.Observation
	// Results are what mining gave. An outcome that is not there was not analysed:
	// nothing is opened for it, nor explained.
	Results map[request.Outcome]interaction.Result
	// Changes are those of the window, oldest first.
	Changes []*telemetry.Change
	// Since says since when a condition is in force.
	Since func(condition.Condition) Since
	// Missing says what the telemetry lacks, the worst first.
	Missing []string
	// Phases are the phase failures of the last minutes. Flipped says whether a
	// request that failed says in its own trace that a phase did not fit, Passes
	// whether requests of an entry pass a service. Both are asked only if there are
	// any Phases.
	Phases  []conformance.Finding
	Flipped func(telemetry.TraceID) bool
	Passes  func(entry, service string) bool
}

// A Since is what is known of when a condition came into force.
type Since struct {
	// Change put it in force; nil if none did that Eddy knows of.
	Change *telemetry.Change
	// Time is when that was, or else when a request first met the condition. Zero
	// means that nothing is known.
	Time time.Time
	// First says that it was met by the first requests on record already, so it
	// may have been in force for longer.
	First bool
}

// Update takes one step and returns the incidents that it opened, changed or
// closed, by id. The incidents are copies.
func (t *Tracker) Update(s Step) []Incident {
	for _, outcome := range []request.Outcome{request.Failed, request.Slow} {
		t.explain(s, outcome)
	}
	t.count(s)
	t.phases(s)
	t.reopen(s)
	t.close(s)
	t.forget()
	var changed []Incident
	for _, k := range t.list {
		if !k.dirty {
			continue
		}
		k.dirty = false
		k.Updated = s.Now
		k.Analyses++
		changed = append(changed, k.clone())
	}
	slices.SortFunc(changed, func(a, b Incident) int { return cmp.Compare(a.ID, b.ID) })
	return changed
}

// Incidents returns copies of all that the tracker knows, the oldest first.
func (t *Tracker) Incidents() []Incident {
	list := make([]Incident, len(t.list))
	for i, k := range t.list {
		list[i] = k.clone()
	}
	return list
}

// clone copies what later steps change.
func (k *tracked) clone() Incident {
	c := k.Incident
	c.Entries = slices.Clone(c.Entries)
	c.Missing = slices.Clone(c.Missing)
	c.Timeline = slices.Clone(c.Timeline)
	c.Experiments = slices.Clone(c.Experiments)
	c.Phases = slices.Clone(c.Phases)
	if c.Finding != nil {
		f := *c.Finding
		c.Finding = &f
	}
	return c
}

// explain matches the findings of one outcome to incidents, opens the ones
// that are new, and then looks at what no finding covers.
func (t *Tracker) explain(s Step, outcome request.Outcome) {
	bad := s.ended(outcome)
	if len(bad) == 0 {
		return
	}
	result, ok := s.Results[outcome]
	if !ok {
		return // it was not analysed this time
	}
	left := slices.Clone(bad)
	taken := map[*tracked]bool{}
	for i := range result.Findings {
		f := &result.Findings[i]
		if f.Verdict != interaction.SingleCause && f.Verdict != interaction.Interact && f.Verdict != interaction.Joint {
			continue
		}
		covered := s.holding(left, f.Conditions)
		if len(covered) < t.config.MinFailures || f.Excess < float64(t.config.MinFailures)/2 {
			continue
		}
		k := t.same(s, f, match{outcome, result.Findings, covered, left, bad, taken})
		going := covered[len(covered)-1].Time.After(s.Now.Add(-t.config.Recent))
		if k == nil && !going {
			continue // over before it was understood, and never told about
		}
		if k == nil {
			k = t.open(s, outcome, covered)
		}
		taken[k] = true
		left = without(left, covered)
		if k.State == Open { // else the window still holds what is over
			k.explainedBy(s, f, result.Missing, covered)
		}
	}
	t.unexplained(s, outcome, t.unknown(s, outcome, left), result.Missing)
}

// unknown returns those of left that no incident explains: what one explains
// stays explained while a step finds less, up to its close.
func (t *Tracker) unknown(s Step, outcome request.Outcome, left []*condition.Observation) []*condition.Observation {
	for _, k := range t.list {
		if k.Outcome != outcome || k.Finding == nil || !k.Closed.IsZero() && k.Closed.Before(s.Window.Start) {
			continue
		}
		known := slices.DeleteFunc(s.holding(left, k.Finding.Conditions), func(o *condition.Observation) bool {
			return !k.Closed.IsZero() && o.Time.After(k.Closed)
		})
		left = without(left, known)
	}
	return left
}

// A match is what decides which incident a finding belongs to.
type match struct {
	outcome  request.Outcome
	findings []interaction.Finding
	// covered are the failures of the finding, of left: those that no finding
	// before it covers. bad are all.
	covered, left, bad []*condition.Observation
	taken              map[*tracked]bool
}

// same returns the incident of the same cause as f, if there is one.
func (t *Tracker) same(s Step, f *interaction.Finding, m match) *tracked {
	var best *tracked
	var most float64
	for _, k := range t.list {
		if k.Outcome != m.outcome || m.taken[k] || !k.Closed.IsZero() && s.Now.Sub(k.Closed) > t.config.Reopen {
			continue
		}
		var overlap float64
		switch {
		case k.Finding == nil && k.State == Open:
			overlap = k.explains(m)
		case k.Finding == nil:
			continue
		case slices.Equal(k.Finding.Conditions, f.Conditions):
			return k
		case slices.ContainsFunc(m.findings, func(x interaction.Finding) bool { return slices.Equal(k.Finding.Conditions, x.Conditions) }):
			continue // it belongs to that finding
		default:
			overlap = jaccard(s.holding(m.bad, k.Finding.Conditions), m.covered)
		}
		if overlap >= identity && overlap > most {
			best, most = k, overlap
		}
	}
	return best
}

// explains is how much of what an unexplained incident is about a finding
// covers, or how much of what the finding covers it is about, whichever is
// more: failures that were too few to be told about may have come before it.
func (k *tracked) explains(m match) float64 {
	about := func(o *condition.Observation) bool {
		return slices.Contains(k.Entries, o.Entry) && !o.Time.Before(k.Began)
	}
	covered := make(map[*condition.Observation]bool, len(m.covered))
	for _, o := range m.covered {
		covered[o] = true
	}
	mine := slices.DeleteFunc(slices.Clone(m.left), func(o *condition.Observation) bool { return !about(o) })
	return max(share(m.covered, about), share(mine, func(o *condition.Observation) bool { return covered[o] }))
}

// open starts an incident over the given failures.
func (t *Tracker) open(s Step, outcome request.Outcome, failures []*condition.Observation) *tracked {
	k := &tracked{Incident: Incident{
		ID: t.next(s.Now), State: Open, Outcome: outcome, Opened: s.Now, Updated: s.Now,
		Began: failures[0].Time, LastFailure: failures[0].Time, Missing: []string{},
	}, dirty: true}
	k.Entries = entriesOf(failures)
	k.begin(s, failures)
	k.add(Moment{Time: s.Now, What: "opened", Text: "opened after " + wording.Plural(len(failures), outcome.String()+" request")})
	k.LastFailure = failures[len(failures)-1].Time
	t.list = append(t.list, k)
	return k
}

// begin counts from the first of the failures on, which is the incident's
// first.
func (k *tracked) begin(s Step, failures []*condition.Observation) {
	k.Began, k.counted = failures[0].Time, s.Now
	k.Timeline = slices.DeleteFunc(k.Timeline, func(m Moment) bool { return m.What == "first failure" })
	k.add(Moment{Time: k.Began, What: "first failure", Text: fmt.Sprintf("first %s request of this incident, at %s", k.Outcome, failures[0].Entry)})
	requests := 0.0
	for i := range s.Kept {
		o := &s.Kept[i]
		if !o.Time.Before(k.Began) && slices.Contains(k.Entries, o.Entry) {
			requests += o.Weight
		}
	}
	k.Requests = max(k.Requests, int(math.Round(requests)))
	k.Failures = max(k.Failures, len(failures))
}

// explainedBy gives the incident its explanation, or a sharper one.
func (k *tracked) explainedBy(s Step, f *interaction.Finding, missing []string, covered []*condition.Observation) {
	finding, what := *f, "explained"
	if k.Finding != nil {
		what = "reworded"
	}
	k.Finding, k.dirty = &finding, true
	k.settle()
	k.Entries = entriesOf(covered)
	k.Title = interaction.Sentence(finding, subject(k.Entries), k.Outcome)
	k.Missing = merge(f.Missing, missing, s.Missing)
	if covered[0].Time.Before(k.Began) {
		k.begin(s, covered)
	}
	for _, c := range f.Conditions {
		k.inForce(c, s.Since(c))
	}
	if k.reworded(finding) {
		k.add(Moment{Time: s.Now, What: what, Text: k.Title})
		k.around(s)
	}
}

// reworded reports whether the timeline does not show an explanation yet. Ones
// that take turns, because the data cannot tell them apart, are shown once each.
func (k *tracked) reworded(f interaction.Finding) bool {
	key := fmt.Sprint(f.Verdict, f.Conditions)
	if k.worded[key] {
		return false
	}
	if k.worded == nil {
		k.worded = map[string]bool{}
	}
	k.worded[key] = true
	return true
}

// firstSeen is what the moment is when a request first met a condition.
const firstSeen = "first seen"

// inForce adds since when one of the finding's conditions is in force.
func (k *tracked) inForce(c condition.Condition, since Since) {
	switch {
	case since.Change != nil:
		k.add(Moment{Time: since.Time, What: "change", Text: c.String() + " came into force", Change: since.Change, Condition: &c})
	case since.Time.IsZero():
	case since.First:
		k.add(Moment{Time: since.Time, What: firstSeen, Text: c.String() + " was in force already at the first request on record", Condition: &c})
	default:
		k.add(Moment{Time: since.Time, What: firstSeen, Text: c.String() + " was met by a request; no change event says since when it is in force", Condition: &c})
	}
}

// around adds the other changes shortly before the first failure and after it:
// context for people, not evidence.
func (k *tracked) around(s Step) {
	const before, most = 10 * time.Minute, 30
	added := 0
	for _, c := range slices.Backward(s.Changes) {
		if added == most || c.Time.Before(k.Began.Add(-before)) {
			break
		}
		text := fmt.Sprintf("%s %s=%s", c.Entity, c.Dimension, c.Value)
		if c.Ends {
			text = fmt.Sprintf("%s %s ended", c.Entity, c.Dimension)
		}
		k.add(Moment{Time: c.Time, What: "change", Text: text, Change: c})
		added++
	}
}
