package conformance

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A Commit is that a job was done: by whom, in which attempt, and when.
type Commit struct {
	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Attempt string    `json:"attempt,omitempty"`
}

// job is how often a job was done.
type job struct {
	commits []Commit // by time, one of each instance and attempt
	seen    time.Time
	saves   int // attempts that a fence refused
}

// maxCommits bounds the commits of one job that are kept.
const maxCommits = 20

// commit notes that the job was done; the same instance and attempt counts once.
func (j *job) commit(c Commit) {
	if i := slices.IndexFunc(j.commits, func(k Commit) bool { return k.By == c.By && k.Attempt == c.Attempt }); i >= 0 {
		if !c.Time.Before(j.commits[i].Time) {
			return
		}
		j.commits = slices.Delete(j.commits, i, i+1)
	}
	at, _ := slices.BinarySearchFunc(j.commits, c, func(a, b Commit) int { return a.Time.Compare(b.Time) })
	if j.commits = slices.Insert(j.commits, at, c); len(j.commits) > maxCommits {
		j.commits = j.commits[:maxCommits]
	}
}

// first is when it was first committed, or else when it was first seen.
func (j *job) first() time.Time {
	if len(j.commits) == 0 {
		return j.seen
	}
	return j.commits[0].Time
}

// second is when it was committed again; zero if it was not.
func (j *job) second() time.Time {
	if len(j.commits) < 2 {
		return time.Time{}
	}
	return j.commits[1].Time
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
		j = &job{seen: s.End}
		m.jobs[id] = j
	}
	if outcome == attr.JobRejected {
		j.saves++
		return
	}
	c := Commit{Time: s.End, Attempt: s.Attributes.First(attr.JobAttempt)}
	if s.Resource != nil {
		c.By = strings.Trim(s.Resource.Service+"/"+s.Resource.Instance, "/")
	}
	j.commit(c)
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

// A Duplicate is a job that was committed more than once: what has to be put right
// by hand.
type Duplicate struct {
	Job     string   `json:"job"`
	Commits []Commit `json:"commits"`
}

// twice are the jobs whose second commit is in a window, by time.
func (m *Monitor) twice(w telemetry.Window) []Duplicate {
	list := []Duplicate{}
	for id, j := range m.jobs {
		if w.Contains(j.second()) {
			list = append(list, Duplicate{id, slices.Clone(j.commits)})
		}
	}
	slices.SortFunc(list, func(a, b Duplicate) int {
		return cmp.Or(a.Commits[1].Time.Compare(b.Commits[1].Time), cmp.Compare(a.Job, b.Job))
	})
	return list
}
