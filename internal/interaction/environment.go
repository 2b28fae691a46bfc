package interaction

import (
	"cmp"
	"fmt"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/wording"
)

const (
	// fewEpisodes is below how many times a state must have come into force to
	// be told from all else that time brought.
	fewEpisodes = 3
	// aligned is the p at which its episodes fit the failures better than the
	// same episodes at another time.
	aligned = 0.05
	// mostCoincident is how many coincident states are listed.
	mostCoincident = 5
)

// A coincidence is an environment that failures keep to.
type coincidence struct {
	k        int32
	deviance float64
	share    float64 // of the failures that it was in force for
	on, off  counts  // what happened while it was in force, and otherwise
	episodes int
}

// during lists the environments that the living failures of a set keep to, the
// closest first; of the whole table if the set is empty. It compares across
// time, which describes and proves nothing.
func (m *miner) during(set []int32, everything bool) []coincidence {
	var list []coincidence
	x := m.exact
	var ks []int32
	for k := range m.classes.list {
		if m.classes.list[k].context == environment {
			ks = append(ks, int32(k))
		}
	}
	x.need(ks)
	all, on := make([]counts, len(m.ledger.places)), make([]counts, len(m.ledger.places))
	asked := x.asked.take(1 + len(ks))
	for i := range asked {
		q := &asked[i]
		q.all = x.bits(q.all, set)
		if i > 0 {
			q.all = append(q.all, x.class[ks[i-1]])
		}
	}
	m.ledger.ask(x.entries(everything), asked)
	m.ledger.located(all, &asked[0])
	for i, k := range ks {
		m.ledger.located(on, &asked[1+i])
		var c split
		for i := range on {
			off := all[i].minus(on[i])
			c.add(float64(on[i].failed), float64(on[i].ok), float64(off.failed), float64(off.ok))
		}
		if d := c.deviance(); d > 2*m.price[1] && c.p() < m.options.Alpha/float64(len(m.classes.list)) {
			at := coincidence{k: k, deviance: d, share: c.observed / c.failed}
			for i := range on {
				at.on, at.off = at.on.plus(on[i]), at.off.plus(all[i].minus(on[i]))
			}
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b coincidence) int {
		return cmp.Or(cmp.Compare(b.deviance, a.deviance), cmp.Compare(a.k, b.k))
	})
	list = list[:min(len(list), mostCoincident)]
	for i := range list {
		list[i].episodes = m.ledger.history(m.classes.list[list[i].k].first).episodes()
	}
	return list
}

// located adds an answer up by location.
func (l *ledger) located(by []counts, q *question) {
	clear(by)
	for i := range l.cells {
		at := l.cells[i].location
		by[at] = by[at].plus(q.by[i])
	}
}

// accompany adds to a finding the environment without which it does no harm,
// if that came into force often enough, at the right times, to be told from
// time; environments of which this cannot be said are noted beside it.
func (m *miner) accompany(j judgement) judgement {
	for _, c := range m.during(j.set, false) {
		if c.share < 0.8 {
			continue // it does harm outside as well
		}
		if c.episodes >= fewEpisodes && len(j.set) < m.options.MaxOrder && m.shifted(j.set, c.k) <= aligned {
			set := append(slices.Clone(j.set), c.k)
			slices.Sort(set)
			// The environment's own need is what the shifts showed: within a
			// stratum it does not vary.
			with := m.judgeOne(set, slices.Index(set, c.k))
			if m.holds(with) {
				with.worse = j.worse
				return with
			}
		}
		j.during = append(j.during, c)
	}
	return j
}

// says puts a coincidence into a sentence.
func (m *miner) says(c coincidence) string {
	text := fmt.Sprintf("%s was in force for %s of the %s", phrase(m.condition(c.k)), percent(c.share), m.options.words().Nouns)
	rates := fmt.Sprintf("%s of %s %s while it was, %s of %s otherwise", wording.Count(c.on.failed), wording.Count(c.on.total()),
		m.options.words().Ended(int(c.on.failed)), wording.Count(c.off.failed), wording.Count(c.off.total()))
	if c.episodes < fewEpisodes {
		return text + fmt.Sprintf(", but in only %s: it cannot be separated from time (%s).", wording.Plural(c.episodes, "episode"), rates)
	}
	return text + fmt.Sprintf(", over %s, always for all %s or none: nothing shows that it did more than be there (%s).",
		wording.Plural(c.episodes, "episode"), m.options.Noun, rates)
}

// mostInForce is how many coincidences are put into sentences.
const mostInForce = 3

// inForce says of the closest coincidences that they were there. What follows
// from other changes, such as a rollout being in progress, comes last.
func (m *miner) inForce(list []coincidence) []string {
	var first, last []string
	for _, c := range list {
		if kind(m.condition(c.k)) == derived {
			last = append(last, m.says(c))
		} else {
			first = append(first, m.says(c))
		}
	}
	first = append(first, last...)
	return first[:min(len(first), mostInForce)]
}

// coincidences lists the states that were in force when failures were, and says
// so of those that no finding mentions.
func (m *miner) coincidences(r *Result, found []judgement) {
	var list []coincidence
	for _, j := range found {
		list = append(list, j.during...)
	}
	var unsaid []coincidence
	for _, c := range m.during(nil, false) {
		if !slices.ContainsFunc(list, func(x coincidence) bool { return x.k == c.k }) {
			unsaid = append(unsaid, c)
		}
	}
	r.Missing = append(r.Missing, m.inForce(unsaid)...)
	for _, c := range append(list, unsaid...) {
		if at := m.condition(c.k); !slices.Contains(r.Coincident, at) {
			r.Coincident = append(r.Coincident, at)
		}
	}
}

// A timeline is, pane by pane, how many observations could have a state, how many
// had it, and how many were of the rarer kind among those of the same moment.
type timeline []struct{ has, could, mixed float64 }

// history returns the timeline of a condition. A state of an entity is judged by
// the requests that met the entity.
func (l *ledger) history(id condition.ID) timeline {
	entity := l.catalog.entity[id]
	h := make(timeline, len(l.panes))
	for i, p := range l.panes {
		h[i].could = float64(p.total)
		if entity >= 0 {
			h[i].could = encountered(p.met, entity)
		}
		if c := p.column(id); c != nil {
			h[i].has, h[i].mixed = float64(c.total), c.among
			if entity >= 0 {
				h[i].mixed = c.within
			}
		}
	}
	return h
}

// episodes counts how many times the state came into force.
func (h timeline) episodes() int {
	n, on := 0, false
	for _, at := range h {
		if at.could == 0 {
			continue
		}
		now := 2*at.has > at.could
		if now && !on {
			n++
		}
		on = now
	}
	return n
}

// shifted is the share of circular shifts of class k's episodes that fit the
// failures of the set as well as they do where they are. Shifting keeps the
// episodes as long and as many as they are, so that n is their number and not
// that of requests.
func (m *miner) shifted(set []int32, k int32) float64 {
	h := m.ledger.history(m.classes.list[k].first)
	x := m.exact
	asked := x.asked.take(1)
	asked[0].all = x.bits(asked[0].all, set)
	m.ledger.ask(m.ledger.filled, asked)
	surplus := make([]float64, len(h)) // failures over what all panes have on average
	totals := make([]float64, len(h))
	var f, n float64
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		s := asked[0].by[i]
		surplus[b.pane] += float64(s.failed)
		totals[b.pane] += float64(s.total())
		f, n = f+float64(s.failed), n+float64(s.total())
	}
	for i := range surplus {
		surplus[i] -= totals[i] * f / n
	}
	fit := func(shift int) float64 {
		var t float64
		for i := range h {
			if at := h[(i+shift)%len(h)]; at.could > 0 {
				t += surplus[i] * at.has / at.could
			}
		}
		return t
	}
	at := fit(0)
	as := 0
	for s := range h {
		if fit(s) >= at-1e-9 {
			as++
		}
	}
	return float64(as) / float64(len(h))
}
