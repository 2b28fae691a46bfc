package interaction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

const (
	// shrink is how many observations at the overall risk a history starts from.
	// From 0.1 to 1,000 the outside data that this was made for gives the same
	// answers (docs/accuracy.md).
	shrink = 10
	// enoughHistory is how many observations of before a combination needs for
	// its own history to be the measure.
	enoughHistory = 5
	// furtherCause is the part of the first set's excess that another must have
	// to be reported as another cause, and not among the rivals of the first.
	furtherCause = 0.1
	// dearer is what a condition costs among rivals, in deviance.
	dearer = 8
	// mostRivals bounds how many are listed.
	mostRivals = 7
)

// A Rival is a set that explains nearly as much as a finding does: what to look
// at next if the finding turns out to be wrong.
type Rival struct {
	Conditions []condition.Condition `json:"conditions"`
	Total      int                   `json:"n"`
	Failed     int                   `json:"failed"`
	// Expected is how many of them would have failed had nothing changed.
	Expected float64 `json:"expected"`
}

// A change is what a table was like before the time from which its failures are
// to be explained. How many failures a set should have since then follows from
// its own history, and not from the rest of the traffic: what differs from place
// to place, and always has, is then no cause.
type change struct {
	since time.Time
	// base is, by position, how many failures would be expected at the risk that
	// the same combination of conditions had before, and unsure the variance of that,
	// since what was before is no more than a sample. Nil if most combinations
	// have no history: then the history is that of the set.
	base    []float64
	unsure  []float64
	before  *exact
	overall float64 // risk of before, of all
	rivals  []tried
}

// A tried set is one with what it counts and how it scores.
type tried struct {
	set      []int32
	score    float64
	now      sum
	expected float64
}

// mineChange explains the failures since o.Since by what changed then.
func mineChange(ctx context.Context, t Table, o Options) (Result, error) {
	var before, now []Row
	rows, failed := 0, 0
	for _, r := range t.Rows {
		if r.Time.Before(o.Since) {
			before = append(before, r)
			continue
		}
		now = append(now, r)
		rows, failed = rows+r.Total, failed+r.Failed
	}
	if len(t.Rows) > 0 && t.Rows[0].Time.IsZero() {
		return Result{}, errors.New("options: since: the rows have no times")
	}
	r, done := untold(rows, failed, o)
	if len(before) == 0 && failed > 0 {
		r.Verdict = NoExplanation
		r.Missing = append(r.Missing, fmt.Sprintf("Nothing is on record from before %s: what changed then cannot be told.", stamp(o.Since)))
		return r, nil
	}
	if done {
		return r, nil
	}
	w, err := cut(ctx, Table{Conditions: t.Conditions, Rows: now, Unlisted: t.Unlisted}, o)
	if err != nil {
		return Result{}, err
	}
	past, err := cut(ctx, Table{Conditions: t.Conditions, Rows: before}, o)
	if err != nil {
		return Result{}, err
	}
	w.line()
	past.line()
	s := &w.scratch
	m := &miner{options: o, ledger: &s.ledger, exact: &s.exact, scratch: s}
	m.prepare()
	m.change = m.newChange(o.Since, &past.scratch)
	found, err := m.changes(ctx)
	if err != nil {
		return Result{}, err
	}
	m.report(&r, found)
	for _, x := range m.change.rivals {
		r.Rivals = append(r.Rivals, m.rival(x))
	}
	return r, nil
}

// newChange takes in what was before.
func (m *miner) newChange(since time.Time, past *scratch) *change {
	c := &change{since: since, before: &past.exact}
	c.before.view(&past.ledger, m.classes)
	all := c.before.l.tally(c.before.alive)
	c.overall = all.risk(1).risk
	type history struct{ failed, n float64 }
	leaves := make(map[uint64]history)
	for _, p := range past.ledger.panes {
		for i := range p.entries {
			e := &p.entries[i]
			h := leaves[e.hash]
			leaves[e.hash] = history{h.failed + float64(e.failed), h.n + e.requests()}
		}
	}
	c.base, c.unsure = make([]float64, 64*m.ledger.words), make([]float64, 64*m.ledger.words)
	var known, total float64
	for i := range m.ledger.cells {
		b := &m.ledger.cells[i]
		for at := b.from; at < b.to; at++ {
			e := m.ledger.entry(at)
			n, h := e.requests(), leaves[e.hash]
			c.base[at] = n * (h.failed + shrink*c.overall) / (h.n + shrink)
			c.unsure[at] = n * c.base[at] / (h.n + shrink)
			total += n
			if h.n >= enoughHistory {
				known += n
			}
		}
	}
	if 2*known < total {
		c.base, c.unsure = nil, nil
	}
	return c
}

// requests is how many an entry stands for.
func (e *entry) requests() float64 { return float64(e.failed) + e.weight/weightUnit }

// requests is how many a sum stands for.
func (s sum) requests() float64 { return float64(s.failed) + s.w/weightUnit }

// changes peels off one finding after the other, as rounds does, by what changed.
func (m *miner) changes(ctx context.Context) ([]judgement, error) {
	var found []judgement
	var first []tried
	for len(found) < m.options.Top {
		list := m.tryAll(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		j, ok := m.firstThatHolds(list)
		if !ok || len(found) > 0 && j.excess < furtherCause*found[0].excess {
			break
		}
		if found == nil {
			first = list
		}
		j.after = len(found)
		found = append(found, j)
		m.exact.remove(j.set)
		m.change.before.remove(j.set)
	}
	slices.SortFunc(first, func(a, b tried) int { return a.compare(b, dearer) })
	for _, t := range first {
		known := slices.ContainsFunc(found, func(j judgement) bool { return slices.Equal(j.set, t.set) })
		weak := float64(t.now.failed)-t.expected < furtherCause*found[0].excess
		if !known && !weak && len(m.change.rivals) < mostRivals {
			m.change.rivals = append(m.change.rivals, t)
		}
	}
	return found, nil
}

// firstThatHolds judges tried sets one after the other, until one is more than chance.
func (m *miner) firstThatHolds(list []tried) (judgement, bool) {
	for _, t := range list {
		j := judgement{set: t.set, score: t.score, excess: float64(t.now.failed) - t.expected}
		if j.p = min(1, m.chance(t)*m.multiplicity(t.set)); j.p <= m.options.Alpha {
			room := &m.exact.room[0]
			m.exact.nearly(room, t.set, len(t.set))
			j.cells = room.table()
			j.thin = m.thin(j)
			return j, true
		}
	}
	return judgement{}, false
}

// power says how much the risk of a single condition carried by a tenth of the
// observations would have had to rise to be significant.
func (c *change) power(m *miner) string {
	c.before.spare = c.before.mask(c.before.spare, nil, true)
	before := c.before.l.tally(c.before.spare)
	n, w := carried*m.ledger.requests, m.ledger.typical
	most := int(min(n, float64(m.ledger.failed)))
	least := sort.Search(most+1, func(k int) bool {
		var s split
		failed := float64(k)
		s.add(failed, (n-failed)/w, carried*float64(before.failed), carried*(before.requests()-float64(before.failed))/w)
		return failed > n*c.overall && s.p() <= m.options.Alpha/m.tests[1]
	})
	words := m.options.words()
	what := wording.Plural(int(m.ledger.failed), words.Noun) + " since then"
	if least > most {
		return fmt.Sprintf("%s are too few, or too little is on record from before: not even a condition carried by 10%% of %s that caused all of them would have been told from chance.",
			what, m.options.Noun)
	}
	return fmt.Sprintf("With %s, any condition carried by 10%% of %s whose risk rose by %s or more, from %s before, would be seen.",
		what, m.options.Noun, percent(ceil(float64(least)/n-c.overall)), percent(c.overall))
}

// rival says a tried set in full.
func (m *miner) rival(t tried) Rival {
	r := Rival{Total: int(t.now.total()), Failed: int(t.now.failed), Expected: round(t.expected)}
	for _, k := range t.set {
		r.Conditions = append(r.Conditions, m.condition(k))
	}
	slices.SortFunc(r.Conditions, condition.Compare)
	return r
}

// argue says of a set, counted by t, what was before.
func (c *change) argue(f *Finding, set []int32, whole sum, words request.Words) {
	c.before.spare = c.before.mask(c.before.spare, set, true)
	h := c.before.l.tally(c.before.spare)
	if h.total() == 0 {
		f.Missing = append(f.Missing, "Nothing of before had it, so that its history is that of all.")
		return
	}
	low, high := h.risk(1).interval()
	f.For = append(f.For, fmt.Sprintf("Before %s, %s of them %s (%s to %s, n=%s); since then %s.", stamp(c.since),
		percent(h.risk(1).risk), words.Did, percent(low), percent(high), wording.Count(h.total()), percent(whole.risk(1).risk)))
}
