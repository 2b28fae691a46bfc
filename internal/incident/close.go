package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

// close ends the incidents whose failures have stopped while there was traffic
// that could have failed.
func (t *Tracker) close(s Step) {
	var p presence
	for _, k := range t.list {
		switch {
		case k.State == Open:
			t.closeOne(s, k, &p)
		case k.State == Mitigated && k.Finding != nil:
			since := after(s.Kept, s.Now.Add(-t.config.Quiet))
			if state, text := k.ending(s, since, p.of(s, since)); state == Resolved {
				k.State, k.dirty = Resolved, true
				k.add(Moment{Time: s.Now, What: string(Resolved), Text: text})
			}
		}
	}
}

// closeOne ends an open incident if it is over.
func (t *Tracker) closeOne(s Step, k *tracked, p *presence) {
	since := after(s.Kept, t.stopped(s, k))
	var text string
	switch {
	case len(since) == 0 && s.Now.Sub(k.LastFailure) > t.config.Reopen:
		k.State, text = Mitigated, "there were no requests for "+t.config.Reopen.String()+"; nothing shows that the cause is fixed"
	case traffic(since, k) < enough:
		return
	case k.Finding == nil:
		k.State, text = Mitigated, fmt.Sprintf("the %s stopped; what caused them is not known", k.words().Nouns)
	default:
		recent := after(s.Kept, s.Now.Add(-t.config.Quiet))
		k.State, text = k.ending(s, since, p.of(s, recent))
	}
	k.Closed, k.dirty = s.Now, true
	k.add(Moment{Time: s.Now, What: string(k.State), Text: text})
}

// ending says how an explained incident ended, by what became of its
// conditions in the observations since. A cause is fixed when a version that
// it needs has given way to another, or when all of it is in force again and
// does no harm; a flag that is off or a job that is over only hides it.
func (k *tracked) ending(s Step, since []condition.Observation, p *presence) (State, string) {
	conditions := k.conditions()
	if n, failed := k.met(s, since, p); float64(n) >= k.proof(k.risk()) {
		return Resolved, fmt.Sprintf("the same conditions were in force on %s since, and %s", wording.Plural(n, "request"), few(failed, k.words()))
	}
	var gone, still []string
	fixed := false
	for _, c := range conditions {
		if p.met(s, c) {
			still = append(still, c.String())
			continue
		}
		gone = append(gone, c.String())
		fixed = fixed || strings.Contains(c.Dimension, "version") && float64(p.named[c.Name()]) >= k.proof(k.share(c))
	}
	switch {
	case len(gone) == 0:
		return Mitigated, fmt.Sprintf("the %s stopped; the conditions are in force but did not meet", k.words().Nouns)
	case fixed:
		return Resolved, strings.Join(gone, " and ") + plainly(len(gone), " is", " are") + " no longer in force"
	case len(still) == 0:
		return Mitigated, strings.Join(gone, " and ") + plainly(len(gone), " is", " are") + " no longer in force; nothing shows that the cause is fixed"
	}
	return Mitigated, fmt.Sprintf("%s %s no longer in force; the cause is open: %s still %s",
		strings.Join(gone, " and "), plainly(len(gone), "is", "are"), strings.Join(still, " and "), plainly(len(still), "is", "are"))
}

// met counts the requests on which all conditions were in force, and how many
// of them ended badly.
func (k *tracked) met(s Step, since []condition.Observation, p *presence) (n, failed int) {
	for _, c := range k.conditions() {
		if !p.met(s, c) {
			return 0, 0
		}
	}
	ids := s.ids(k.conditions())
	for i := range since {
		if holds(&since[i], ids) {
			n++
			if since[i].Outcome == k.Outcome {
				failed++
			}
		}
	}
	return n, failed
}

// risk is that with all conditions in force, or 0 if the finding has none.
func (k *tracked) risk() float64 {
	if len(k.Finding.Cells) == 0 {
		return 0
	}
	return k.Finding.Cells[0].Risk
}

// share is the part of requests on which a condition was in force, as the
// finding counted them; 0 if it did not.
func (k *tracked) share(c condition.Condition) float64 {
	with, all := 0, 0
	for _, x := range k.Finding.Cells {
		all += x.Total
		if slices.Contains(x.Holds, c.String()) {
			with += x.Total
		}
	}
	return float64(with) / float64(max(1, all))
}

// proof is how many requests must be without something that a share of them
// had, before it can be taken to be gone: with three over the share, none of
// them has it in fewer than 5 % of cases.
func (k *tracked) proof(share float64) float64 {
	if share <= 0 {
		return enough
	}
	return max(enough, 3/share)
}

// few says how many of the requests that met all conditions ended badly.
func few(n int, w request.Words) string {
	if n == 0 {
		return "none " + w.Did
	}
	return fmt.Sprintf("only %s %s", wording.Count(n), w.Ended(n))
}

// A presence counts the observations of a step in which each condition was in
// force, once for all incidents. The zero value is to be filled by of.
type presence struct {
	filled bool
	by     map[condition.ID]int
	named  map[string]int // by condition.Condition.Name
}

// of fills p from list, unless it is filled, and returns it.
func (p *presence) of(s Step, list []condition.Observation) *presence {
	if p.filled {
		return p
	}
	p.filled, p.by, p.named = true, map[condition.ID]int{}, map[string]int{}
	for i := range list {
		for _, id := range list[i].Conditions {
			p.by[id]++
		}
	}
	for id, n := range p.by {
		p.named[s.Dictionary.Condition(id).Name()] += n
	}
	return p
}

// met reports whether a condition was in force on any request.
func (p *presence) met(s Step, c condition.Condition) bool {
	id, ok := s.Dictionary.ID(c)
	return ok && p.by[id] > 0
}

// conditions are those of the finding, if there is one.
func (k *tracked) conditions() []condition.Condition {
	if k.Finding == nil {
		return nil
	}
	return k.Finding.Conditions
}

// after returns the observations of a list by time that started after t.
func after(list []condition.Observation, t time.Time) []condition.Observation {
	i, _ := slices.BinarySearchFunc(list, t, func(o condition.Observation, t time.Time) int {
		if o.Time.After(t) {
			return 1
		}
		return -1
	})
	return list[i:]
}

// traffic counts the requests at the incident's entries.
func traffic(list []condition.Observation, k *tracked) int {
	n := 0.0
	for i := range list {
		if slices.Contains(k.Entries, list[i].Entry) {
			n += list[i].Weight
		}
	}
	return int(n)
}

// add puts a moment in its place by time; moments of the same time keep the
// order in which they came, and the same change or condition is shown once.
func (k *tracked) add(m Moment) {
	if i := slices.IndexFunc(k.Timeline, func(x Moment) bool { return sameMoment(&x, &m) }); i >= 0 {
		if m.Condition == nil || k.Timeline[i].Condition != nil {
			return
		}
		k.Timeline = slices.Delete(k.Timeline, i, i+1) // it turned out to be about a condition of the finding
	}
	at := len(k.Timeline)
	for at > 0 && k.Timeline[at-1].Time.After(m.Time) {
		at--
	}
	k.Timeline = slices.Insert(k.Timeline, at, m)
	if len(k.Timeline) > maxMoments {
		k.Timeline = slices.Delete(k.Timeline, maxMoments/2, maxMoments/2+1)
	}
	k.dirty = true
}

// sameMoment reports whether two moments show the same change, or say of the
// same condition when it was first seen.
func sameMoment(a, b *Moment) bool {
	if a.Change != nil && b.Change != nil {
		return a.Change == b.Change || a.Change.ID != "" && a.Change.ID == b.Change.ID
	}
	return a.What == firstSeen && b.What == firstSeen && *a.Condition == *b.Condition
}

// next returns the id of a new incident: the day and a number within it.
func (t *Tracker) next(now time.Time) ID {
	day := now.UTC().Format(time.DateOnly)
	if day != t.day {
		t.day, t.serial = day, 0
	}
	t.serial++
	return ID(fmt.Sprintf("%s-%d", day, t.serial))
}

// continueFrom makes ids go on after a known one.
func (t *Tracker) continueFrom(id ID) {
	if len(id) < len(time.DateOnly)+2 {
		return
	}
	day, serial := string(id[:len(time.DateOnly)]), 0
	if _, err := fmt.Sscanf(string(id[len(time.DateOnly)+1:]), "%d", &serial); err != nil {
		return
	}
	if day > t.day || day == t.day && serial > t.serial {
		t.day, t.serial = day, serial
	}
}

// forget drops the oldest closed incidents beyond the bound.
func (t *Tracker) forget() {
	closed := 0
	for _, k := range t.list {
		if !k.Closed.IsZero() && !k.dirty {
			closed++
		}
	}
	t.list = slices.DeleteFunc(t.list, func(k *tracked) bool {
		if closed <= maxClosed || k.Closed.IsZero() || k.dirty {
			return false
		}
		closed--
		return true
	})
}
