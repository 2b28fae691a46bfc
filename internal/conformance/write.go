package conformance

import (
	"slices"
	"strconv"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// job is how often a job was done.
type job struct {
	first   time.Time
	commits map[string]bool // by who did it and which attempt it was
	saves   int             // attempts that a fence refused
}

// job takes a span of a job that was done.
func (m *Monitor) job(s *telemetry.Span) {
	id, ok := s.Attributes.Get(attr.JobID)
	if !ok {
		return
	}
	outcome := s.Attributes.First(attr.JobOutcome)
	if outcome != attr.JobCommitted && outcome != attr.JobRejected {
		return
	}
	j := m.jobs[id]
	if j == nil {
		if len(m.jobs) >= maxJobs {
			m.dropped++
			return
		}
		j = &job{commits: make(map[string]bool)}
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
	j.commits[who] = true
	if j.first.IsZero() || s.End.Before(j.first) {
		j.first = s.End
	}
}

// duplicates is, of the jobs whose first commit is in the window,
//
//	M3 = #{j: committed at least twice} / #{j}
//
// It may still grow until a day has passed.
func (m *Monitor) duplicates(w telemetry.Window) Share {
	var s Share
	for _, j := range m.jobs {
		if j.first.IsZero() || j.first.Before(w.Start) || !j.first.Before(w.End) {
			continue
		}
		s.Of++
		if len(j.commits) >= 2 {
			s.Part++
		}
	}
	s.Coverage, s.Known = 1, s.Of > 0
	return s
}

// tenure is what was written with one token.
type tenure struct {
	first, last time.Time // of accepted writes; zero if there are none
	accepted    int
	seen        time.Time // the last write, accepted or not
}

// fenced takes a span of a write that carried a token.
func (m *Monitor) fenced(s *telemetry.Span) {
	subject, ok := s.Attributes.Get(attr.FenceSubject)
	token, err := strconv.ParseUint(s.Attributes.First(attr.FenceToken), 10, 64)
	if !ok || err != nil || token == 0 {
		return
	}
	list := m.tenures[subject]
	if list == nil && len(m.tenures) >= maxSubjects {
		m.dropped++
		return
	}
	if list == nil {
		list = make(map[uint64]*tenure)
		m.tenures[subject] = list
	}
	t := list[token]
	if t == nil {
		if len(list) >= maxTokens {
			m.dropped++
			return
		}
		t = &tenure{}
		list[token] = t
	}
	t.seen = later(t.seen, s.End)
	if s.Attributes.First(attr.FenceVerdict) != attr.FenceAccepted {
		return
	}
	t.accepted++
	if t.first.IsZero() || s.End.Before(t.first) {
		t.first = s.End
	}
	t.last = later(t.last, s.End)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// An overlap is that two tenures had writes accepted at the same time.
type overlap struct {
	subject        string
	older, younger uint64
	from, to       time.Time
}

// overlaps finds, for tokens t1 < t2 of one subject, intervals [first, last] of
// accepted writes that meet.
func (m *Monitor) overlaps() []overlap {
	var found []overlap
	for subject, list := range m.tenures {
		var tokens []uint64
		for token, t := range list {
			if t.accepted > 0 {
				tokens = append(tokens, token)
			}
		}
		slices.Sort(tokens)
		for i, a := range tokens {
			for _, b := range tokens[i+1:] {
				older, younger := list[a], list[b]
				if from, to := later(older.first, younger.first), older.last; older.accepted > 0 && !to.Before(from) {
					found = append(found, overlap{subject, a, b, from, to})
				}
			}
		}
	}
	return found
}
