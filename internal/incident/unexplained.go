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

// unexplained opens or updates the incident for failures that no finding
// covers, if they go on and are more than is tolerated.
func (t *Tracker) unexplained(s Step, outcome request.Outcome, left []*condition.Observation, missing []string) {
	tolerated := t.config.ToleratedFailed
	if outcome == request.Slow {
		tolerated = t.config.ToleratedSlow
	}
	from := s.Now.Add(-t.config.Recent)
	requests, failed := map[request.Entry]float64{}, map[request.Entry]int{}
	for i := range s.Kept {
		if o := &s.Kept[i]; o.Time.After(from) {
			requests[o.Entry] += o.Weight
		}
	}
	for _, o := range left {
		if o.Time.After(from) {
			failed[o.Entry]++
		}
	}
	var affected []*condition.Observation
	for _, o := range left {
		n := failed[o.Entry]
		if n >= t.config.MinFailures && wilsonLow(float64(n), requests[o.Entry]) > tolerated && o.Time.After(from) {
			affected = append(affected, o)
		}
	}
	if len(affected) == 0 {
		return
	}
	var k *tracked
	for _, x := range t.list {
		if x.Outcome == outcome && x.Finding == nil && x.State == Open {
			k = x
		}
	}
	if k == nil {
		// What failed before the rate rose is the usual, and nobody's incident.
		k = t.open(s, outcome, affected[onset(affected, at(s.Kept, entriesOf(affected), from)):])
		k.around(s)
	}
	if all := union(k.Entries, entriesOf(affected)); len(all) > len(k.Entries) {
		k.Entries = all
		k.begin(s, slices.DeleteFunc(slices.Clone(left), func(o *condition.Observation) bool {
			return o.Time.Before(k.Began) || !slices.Contains(all, o.Entry)
		}))
	}
	k.Title = k.unexplainedTitle(s, left)
	k.Missing = merge(s.Missing, missing)
	k.dirty = true
}

// unexplainedTitle says how much fails from the first failure to the last.
func (k *tracked) unexplainedTitle(s Step, left []*condition.Observation) string {
	failed, last := 0, k.Began
	for _, o := range left {
		if slices.Contains(k.Entries, o.Entry) && !o.Time.Before(k.Began) {
			failed, last = failed+1, o.Time
		}
	}
	requests := 0.0
	for i := range s.Kept {
		o := &s.Kept[i]
		if slices.Contains(k.Entries, o.Entry) && !o.Time.Before(k.Began) && !o.Time.After(last) {
			requests += o.Weight
		}
	}
	return fmt.Sprintf("%s: %s of %s requests %s since %s, and no condition on record explains it.",
		subject(k.Entries), wording.Percent(float64(failed)/max(1, requests)), wording.Count(int(math.Round(requests))), k.words().Did, k.Began.UTC().Format("15:04 UTC"))
}

// at returns the observations at the entries from a time on.
func at(list []condition.Observation, entries []request.Entry, from time.Time) []condition.Observation {
	var found []condition.Observation
	for i := range list {
		if list[i].Time.After(from) && slices.Contains(entries, list[i].Entry) {
			found = append(found, list[i])
		}
	}
	return found
}
