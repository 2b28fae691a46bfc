package incident

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/telemetry"
)

// count adds the fresh observations to the incidents that cover them, and
// reopens a closed incident whose failures are back.
func (t *Tracker) count(s Step) {
	for _, k := range t.list {
		if !k.Closed.IsZero() && s.Now.Sub(k.Closed) > t.config.Reopen {
			continue
		}
		first := k.Opened.Equal(s.Now) // open has counted these
		ids := s.ids(k.conditions())
		back := 0
		for i := range s.Fresh {
			o := &s.Fresh[i]
			if !slices.Contains(k.Entries, o.Entry) || o.Time.Before(k.Began) {
				continue
			}
			if k.State == Open && !first {
				k.Requests++
				k.dirty = true
			}
			if o.Outcome != k.Outcome || k.Finding != nil && !holds(o, ids) {
				continue
			}
			if k.State == Open && !first {
				k.Failures++
			}
			if !k.Closed.IsZero() && o.Time.After(k.Closed) {
				back++
			}
			if k.State == Open && o.Time.After(k.LastFailure) {
				k.LastFailure = o.Time
			}
		}
		if k.Finding != nil && back >= max(3, t.config.MinFailures/2) {
			k.State, k.Closed, k.LastFailure, k.dirty = Open, time.Time{}, s.Now, true
			k.add(Moment{Time: s.Now, What: "reopened", Text: fmt.Sprintf("%s again", plural(back, k.Outcome.String()+" request"))})
		}
	}
}

// close ends the incidents whose failures have stopped while there was
// traffic that could have failed.
func (t *Tracker) close(s Step) {
	for _, k := range t.list {
		switch k.State {
		case Open:
			if s.Now.Sub(k.LastFailure) < t.config.Quiet {
				continue
			}
			since := after(s.Kept, k.LastFailure)
			if traffic(since, k) < enough {
				continue
			}
			k.Closed, k.dirty = s.Now, true
			k.State = Mitigated
			text := "the failures stopped; what caused them is not known"
			if k.Finding != nil {
				k.State, text = k.ending(s, since)
			}
			k.add(Moment{Time: s.Now, What: string(k.State), Text: text})
		case Mitigated:
			if k.Finding == nil {
				continue
			}
			if state, text := k.ending(s, after(s.Kept, s.Now.Add(-t.config.Quiet))); state == Resolved {
				k.State, k.dirty = Resolved, true
				k.add(Moment{Time: s.Now, What: string(Resolved), Text: text})
			}
		case Resolved:
		}
	}
}

// ending says how an explained incident ended, by what became of its
// conditions in the observations since. A cause is fixed when a version that
// it needs is gone, or when all of it is in force again and does no harm; a
// flag that is off or a job that is over only hides it.
func (k *tracked) ending(s Step, since []condition.Observation) (State, string) {
	conditions := k.conditions()
	ids := s.ids(conditions)
	all := 0
	seen := make([]bool, len(ids))
	for i := range since {
		o := &since[i]
		if holds(o, ids) && o.Outcome != k.Outcome {
			all++
		}
		for j, id := range ids {
			if _, ok := slices.BinarySearch(o.Conditions, id); ok {
				seen[j] = true
			}
		}
	}
	if all >= enough {
		return Resolved, fmt.Sprintf("the same conditions were in force on %s since, and none %s", plural(all, "request"), ended(k.Outcome))
	}
	var gone, still []string
	fixed := false
	for j, c := range conditions {
		switch {
		case seen[j]:
			still = append(still, c.String())
		default:
			gone = append(gone, c.String())
			fixed = fixed || strings.Contains(c.Dimension, "version")
		}
	}
	switch {
	case len(gone) == 0:
		return Mitigated, "the failures stopped; the conditions are in force but did not meet"
	case fixed:
		return Resolved, strings.Join(gone, " and ") + plainly(len(gone), " is", " are") + " no longer in force"
	case len(still) == 0:
		return Mitigated, strings.Join(gone, " and ") + plainly(len(gone), " is", " are") + " no longer in force; nothing shows that the cause is fixed"
	}
	return Mitigated, fmt.Sprintf("%s %s no longer in force; the cause is open: %s still %s",
		strings.Join(gone, " and "), plainly(len(gone), "is", "are"), strings.Join(still, " and "), plainly(len(still), "is", "are"))
}

// conditions are those of the finding, if there is one.
func (k *tracked) conditions() []condition.Condition {
	if k.Finding == nil {
		return nil
	}
	return k.Finding.Conditions
}

// after returns the observations that started after t.
func after(list []condition.Observation, t time.Time) []condition.Observation {
	var later []condition.Observation
	for i := range list {
		if list[i].Time.After(t) {
			later = append(later, list[i])
		}
	}
	return later
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
// order in which they came, and the same change is shown once.
func (k *tracked) add(m Moment) {
	if m.Change != nil && slices.ContainsFunc(k.Timeline, func(x Moment) bool { return x.Change != nil && sameChange(x.Change, m.Change) }) {
		return
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

// sameChange reports whether two changes are one event.
func sameChange(a, b *telemetry.Change) bool { return a == b || a.ID != "" && a.ID == b.ID }

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
