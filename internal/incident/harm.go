package incident

import (
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

// A cover says which failures are an incident's: those that meet the
// conditions of its finding; or, if it has none, those that no open incident
// explains.
type cover struct {
	ids    []condition.ID
	others [][]condition.ID
}

// cover returns that of k at this step.
func (t *Tracker) cover(s Step, k *tracked) cover {
	if k.Finding != nil {
		return cover{ids: s.ids(k.Finding.Conditions)}
	}
	return cover{others: t.explanations(s, k.Outcome)}
}

// explanations are the conditions of the open incidents that are explained.
func (t *Tracker) explanations(s Step, outcome request.Outcome) [][]condition.ID {
	var list [][]condition.ID
	for _, k := range t.list {
		if k.Outcome == outcome && k.State == Open && k.Finding != nil {
			list = append(list, s.ids(k.Finding.Conditions))
		}
	}
	return list
}

// has reports whether a failure is covered.
func (c cover) has(o *condition.Observation) bool {
	return holds(o, c.ids) && !slices.ContainsFunc(c.others, func(ids []condition.ID) bool { return holds(o, ids) })
}

// count adds the fresh observations to the open incidents that cover them.
func (t *Tracker) count(s Step) {
	for _, k := range t.list {
		if k.State != Open || k.counted.Equal(s.Now) { // begin has counted these
			continue
		}
		mine := t.cover(s, k)
		for i := range s.Fresh {
			o := &s.Fresh[i]
			if !slices.Contains(k.Entries, o.Entry) || o.Time.Before(k.Began) {
				continue
			}
			k.Requests++
			k.dirty = true
			if o.Outcome == k.Outcome && mine.has(o) {
				k.Failures++
				k.LastFailure = later(k.LastFailure, o.Time)
			}
		}
	}
}

// reopen opens explained incidents again that were closed not long ago, and
// whose conditions do harm again that no open incident explains.
func (t *Tracker) reopen(s Step) {
	for _, k := range t.list {
		if k.State == Open || k.Finding == nil || s.Now.Sub(k.Closed) > t.config.Reopen {
			continue
		}
		mine := cover{s.ids(k.Finding.Conditions), t.explanations(s, k.Outcome)}
		back := k.toll(after(s.Kept, k.Closed), mine)
		if back.failed < max(3, t.config.MinFailures/2) || s.Now.Sub(back.last) > t.config.Recent ||
			wilsonLow(float64(back.failed), back.requests) <= t.tolerated(k) {
			continue
		}
		k.State, k.Closed, k.LastFailure, k.dirty = Open, time.Time{}, back.last, true
		k.Failures += back.failed
		k.Requests += int(math.Round(back.requests))
		k.add(Moment{Time: s.Now, What: "reopened", Text: fmt.Sprintf("%s again", wording.Plural(back.failed, k.Outcome.String()+" request"))})
	}
}

// stopped returns since when an open incident does no harm, or now if it does.
// It has stopped when nothing failed for Quiet, or when so little failed of so
// much that it is not more than fails at any time.
func (t *Tracker) stopped(s Step, k *tracked) time.Time {
	if s.Now.Sub(k.LastFailure) >= t.config.Quiet {
		return k.LastFailure
	}
	from := s.Now.Add(-t.config.Quiet)
	mine, recent := t.cover(s, k), after(s.Kept, from)
	for _, e := range k.Entries {
		one := tracked{Incident: Incident{Outcome: k.Outcome, Finding: k.Finding, Entries: []request.Entry{e}}}
		n := one.toll(recent, mine)
		if n.failed > 0 && wilsonHigh(float64(n.failed), n.requests) > t.tolerated(k) {
			return s.Now
		}
	}
	return from
}

// A toll is what a stretch of time did to the requests of an incident.
type toll struct {
	failed   int
	requests float64 // that met the conditions; at the entries, if there are none
	last     time.Time
}

// toll counts it over list.
func (k *tracked) toll(list []condition.Observation, mine cover) toll {
	var n toll
	for i := range list {
		o := &list[i]
		if !slices.Contains(k.Entries, o.Entry) || !holds(o, mine.ids) {
			continue
		}
		n.requests += o.Weight
		if o.Outcome == k.Outcome && mine.has(o) {
			n.failed++
			n.last = later(n.last, o.Time)
		}
	}
	return n
}

// tolerated is the share of requests from which on an incident does harm: for
// one that is explained half way between the risk with all of its conditions
// and the highest risk with one of them missing, if that is more.
func (t *Tracker) tolerated(k *tracked) float64 {
	share := t.config.ToleratedFailed
	if k.Outcome == request.Slow {
		share = t.config.ToleratedSlow
	}
	if k.Finding == nil || len(k.Finding.Cells) == 0 {
		return share
	}
	whole, without := k.Finding.Cells[0].Risk, 0.0
	for _, c := range k.Finding.Cells[1:] {
		without = max(without, c.Risk)
	}
	return min(max(share, without), (whole+without)/2)
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
