package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// observer is one consumer of one subject.
type observer struct {
	subjectKey
	consumer string
}

// belief is what a consumer began to believe at a time, or that it ceased to.
type belief struct {
	at    time.Time
	epoch uint64
	phase string
	role  string
	ended bool
}

// believed notes what a consumer believes. The same event twice counts once.
func (m *Monitor) believed(key subjectKey, e uint64, l *telemetry.Log) {
	if m.timeline(key, l.Time) == nil {
		return
	}
	o := observer{key, l.Attributes.First(attr.ConsumerID)}
	list, known := m.consumers[o]
	if !known && len(m.consumers) >= maxSubjects {
		m.dropped++
		return
	}
	b := belief{l.Time, e, l.Attributes.First(attr.PhaseName), l.Attributes.First(attr.PhaseRole), l.EventName == attr.EventPhaseExpired}
	order := func(a, b belief) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.epoch, b.epoch), compareBool(a.ended, b.ended))
	}
	at, same := slices.BinarySearchFunc(list, b, order)
	if same {
		return
	}
	list = slices.Insert(list, at, b)
	if len(list) > maxSteps {
		list = list[1:]
		m.dropped++
	}
	m.consumers[o] = list
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// gaps finds F5 b, a missing announcement: a consumer that skipped an epoch for
// longer than the bound, and did not come to know a later one without a hole.
func (m *Monitor) gaps(w telemetry.Window) []Finding {
	var found []Finding
	for o, list := range m.consumers {
		// A lease passes on without waiting for anybody, so there a consumer may come
		// to know two steps at once.
		if c := m.lookup(o.contract); c != nil && c.Exclusivity != nil {
			continue
		}
		before, after, since := hole(list, w.End)
		if since.IsZero() || w.End.Sub(since) <= m.bound(o.contract) || w.End.Sub(since) > keep {
			continue
		}
		found = append(found, Finding{
			Code: MissingAnnouncement, Contract: o.contract, Subject: o.subject, Since: since, Until: w.End,
			Text: fmt.Sprintf("missing announcement: consumer %s went from epoch %d to %d and never heard of what is between", o.consumer, before, after),
			For:  []string{fmt.Sprintf("%s observed epoch %d at %s, and before it %d", o.consumer, after, clock(since), before)},
		})
	}
	return found
}

// hole is the last epochs between which a consumer has missed some; since is zero
// if it has not.
func hole(list []belief, now time.Time) (before, after uint64, since time.Time) {
	last, known := uint64(0), false
	for _, b := range list {
		if b.ended || b.at.After(now) || known && b.epoch <= last {
			continue
		}
		since = time.Time{}
		if known && b.epoch > last+1 {
			before, after, since = last, b.epoch, b.at
		}
		last, known = b.epoch, true
	}
	return before, after, since
}

// expired finds F5 c, missing announcements: for longer than the bound more than
// one in a hundred consumers of a subject had no belief, while the subject was
// alive and in a phase that is not the last.
func (m *Monitor) expired(w telemetry.Window) []Finding {
	bySubject := make(map[subjectKey]map[string][]belief)
	for o, list := range m.consumers {
		if bySubject[o.subjectKey] == nil {
			bySubject[o.subjectKey] = make(map[string][]belief)
		}
		bySubject[o.subjectKey][o.consumer] = list
	}
	var found []Finding
	for key, consumers := range bySubject {
		t := m.subjects[key]
		if t == nil || m.over(key, t) {
			continue
		}
		bound := m.bound(key.contract)
		worst, ok := longestDark(consumers, w, bound)
		if !ok || t.alive.Before(worst.from.Add(bound)) {
			continue
		}
		found = append(found, Finding{
			Code: MissingAnnouncement, Contract: key.contract, Subject: key.subject, Since: worst.from, Until: worst.to,
			Text: fmt.Sprintf("missing announcement: up to %d of %d consumers did not know the phase for %s, while the subject was alive", worst.most, worst.of, worst.to.Sub(worst.from).Round(time.Millisecond)),
			For: []string{
				fmt.Sprintf("beliefs expired from %s to %s, and %s is the bound", clock(worst.from), clock(worst.to), bound),
				fmt.Sprintf("the subject was last heard from at %s", clock(t.alive)),
			},
		})
	}
	return found
}

// over reports whether a subject is in a phase that it does not leave.
func (m *Monitor) over(key subjectKey, t *timeline) bool {
	c := m.lookup(key.contract)
	numbers := t.numbers()
	if c == nil || len(numbers) == 0 {
		return false
	}
	p, _ := c.Phase(contract.PhaseName(t.epochs[numbers[len(numbers)-1]].phase))
	return p.Terminal
}

// dark is a stretch of time in which consumers did not know a phase.
type dark struct {
	from, to time.Time
	most, of int
}

// longestDark is the longest stretch that reaches into the window in which more
// than 1 % of the consumers had no belief, if it is longer than the bound. A
// consumer counts from when it first believed.
func longestDark(consumers map[string][]belief, w telemetry.Window, bound time.Duration) (dark, bool) {
	type edge struct {
		at          time.Time
		known, lost int
	}
	var edges []edge
	for _, list := range consumers {
		seen, ended := false, false
		for _, b := range list {
			e := edge{at: b.at}
			if !seen {
				e.known, seen = 1, true
			}
			if b.ended != ended {
				ended = b.ended
				e.lost = 1
				if !ended {
					e.lost = -1
				}
			}
			if e.known != 0 || e.lost != 0 {
				edges = append(edges, e)
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	var longest, now dark
	known, lost, in := 0, 0, false
	end := func(at time.Time) {
		now.to = at
		if in && at.After(w.Start) && now.to.Sub(now.from) > bound && now.to.Sub(now.from) > longest.to.Sub(longest.from) {
			longest = now
		}
	}
	for i, e := range edges {
		if e.at.After(w.End) {
			break
		}
		known, lost = known+e.known, lost+e.lost
		if i+1 < len(edges) && edges[i+1].at.Equal(e.at) {
			continue // all that happens at once
		}
		switch beyond := lost*100 > known; {
		case beyond && !in:
			now, in = dark{from: e.at, most: lost, of: known}, true
		case beyond:
			if lost > now.most {
				now.most, now.of = lost, known
			}
		case in:
			end(e.at)
			in = false
		}
	}
	end(w.End)
	return longest, !longest.from.IsZero()
}
