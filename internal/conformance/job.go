package conformance

import (
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// job is how often a job was done.
type job struct {
	commits map[string]time.Time // the first of each: who did it, and which attempt
	seen    time.Time
	saves   int // attempts that a fence refused
}

// first is when it was first committed, or else when it was first seen.
func (j *job) first() time.Time {
	first := time.Time{}
	for _, at := range j.commits {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if first.IsZero() {
		return j.seen
	}
	return first
}

// second is when it was committed again; zero if it was not.
func (j *job) second() time.Time {
	if len(j.commits) < 2 {
		return time.Time{}
	}
	var at []time.Time
	for _, t := range j.commits {
		at = append(at, t)
	}
	slices.SortFunc(at, time.Time.Compare)
	return at[1]
}

// job takes a span of a job that was done.
func (m *Monitor) job(s *telemetry.Span) {
	outcome := s.Attributes.First(attr.JobOutcome)
	if outcome != attr.JobCommitted && outcome != attr.JobRejected {
		return
	}
	if outcome == attr.JobCommitted {
		if _, fenced := s.Attributes.Get(attr.FenceSubject); !fenced {
			m.inferred.write(serviceOf(s), Write{Time: s.End, Holder: instanceOf(s), Verdict: attr.FenceUnfenced, Trace: s.Trace, Span: s.ID})
		}
	}
	id, ok := s.Attributes.Get(attr.JobID)
	if !ok {
		return
	}
	j := m.jobs[id]
	if j == nil {
		if len(m.jobs) >= maxJobs {
			m.dropped++
			return
		}
		j = &job{commits: make(map[string]time.Time), seen: s.End}
		m.jobs[id] = j
	}
	if outcome == attr.JobRejected {
		j.saves++
		return
	}
	who := s.Attributes.First(attr.JobAttempt)
	if s.Resource != nil {
		who = s.Resource.Service + "/" + s.Resource.Instance + "#" + who
	}
	if at, ok := j.commits[who]; !ok || s.End.Before(at) {
		j.commits[who] = s.End
	}
}

// duplicates is, of the jobs whose first commit is in the window,
//
//	M3 = #{j: committed at least twice} / #{j}
//
// It may still grow until a day has passed. again counts the jobs, whenever they
// began, whose second commit is in the window: that is known at once.
func (m *Monitor) duplicates(w telemetry.Window) (s Share, again int) {
	for _, j := range m.jobs {
		if w.Contains(j.second()) {
			again++
		}
		if len(j.commits) == 0 || !w.Contains(j.first()) {
			continue
		}
		s.Of++
		if len(j.commits) >= 2 {
			s.Part++
		}
	}
	s.Coverage, s.Known = 1, s.Of > 0
	return s, again
}
