package interaction

import (
	"cmp"
	"context"
	"slices"

	"example.test/eddy/internal/search"
)

const (
	// linked is the p at which failures that share a condition in a short time are taken
	// for one burst. A few that are not one are no harm: each then counts less.
	linked = 0.01
	// unlinked is the p from which they are not looked at again when others have been
	// taken out.
	unlinked = 10 * linked
	// longestBurst is how many buckets of time, one after the other, a burst is looked for
	// in.
	longestBurst = 2
	// repeated is the part of the failures that must be repeats in a burst before they
	// are put aside; fewer are by chance.
	repeated = 0.25
)

// once is nearly where each burst counts as the one failure that it is for certain: what
// else failed in it is put aside, and what is left is searched again. Permutations cannot
// take apart what is not there, and failures that have nothing to do with a cause hide it
// no longer. Only the numbers that are reported are those of all rows.
func (m *miner) once(ctx context.Context, s *search.Search, sample *sampled) (judgement, bool) {
	if sample.failUnit > 1 {
		return judgement{}, false // bursts are not whole
	}
	repeats, failed := m.repeats(sample)
	if float64(failed) < repeated*float64(m.ledger.failed) {
		return judgement{}, false
	}
	m.exact.hold(repeats, false)
	j, ok := m.nearly(ctx, s, m.look(s, true))
	m.exact.hold(repeats, true)
	if !ok {
		return j, false
	}
	m.draw(false) // for the next round
	room := &m.exact.room[0]
	m.exact.nearly(room, j.set, len(j.set))
	j.excess, j.cells = room.excess(m.ledger.typical), room.table()
	j.thin, j.aside = m.thin(j), failed
	return j, j.excess > 0
}

// hold says whether the entries at some positions are alive.
func (x *exact) hold(positions []int32, alive bool) {
	for _, at := range positions {
		if alive {
			x.alive[at/64] |= 1 << (at % 64)
		} else {
			x.alive[at/64] &^= 1 << (at % 64)
		}
	}
	x.changed()
}

// A burst is failures of a class in neighbouring buckets of time.
type burst struct {
	class    int32
	from, to int32   // buckets
	members  []int32 // which of the sampled failures
	share    float64 // of the traffic of this time that has the class
	p        float64 // that so many of the failures of this time have the class
}

// compare orders bursts by how sure they are.
func (b *burst) compare(o *burst) int {
	return cmp.Or(cmp.Compare(b.p, o.p), cmp.Compare(b.to-b.from, o.to-o.from),
		cmp.Compare(b.class, o.class), cmp.Compare(b.from, o.from))
}

// A linker finds the failures that belong to one burst.
type linker struct {
	m       *miner
	sample  *sampled
	ticks   []int32   // by pane: its bucket of time
	bucket  []int32   // by failure
	classes [][]int32 // by failure
	gone    []bool    // by failure: it is in a burst
	failed  []int64   // by bucket: failures in no burst
	of      []int64   // by class: the same
	left    int64     // of them in all
}

// repeats lists where all failures of bursts are but one of each, and says how many
// these are; the failures must be sampled whole.
//
// What failures share in a short time makes them a burst if, of the failures of this
// time, more have it than its share of the traffic, or of the failures of all other
// times, lets expect: a cause is shared by failures at other times too, and theirs are
// no repeats. What is least likely is taken first, and its failures are in no other
// burst.
func (m *miner) repeats(s *sampled) (at []int32, failed int64) {
	if m.ledger.ticks < fewTimes {
		return nil, 0
	}
	l := newLinker(m, s)
	list := l.possible()
	for {
		var best *burst
		for i := range list {
			b := &list[i]
			b.p = l.p(b)
			if b.p <= linked && (best == nil || b.compare(best) < 0) {
				best = b
			}
		}
		if best == nil {
			return at, failed
		}
		members := slices.Clone(best.members)
		first := slices.MinFunc(members, func(a, b int32) int {
			return cmp.Or(cmp.Compare(s.failCounts[a], s.failCounts[b]), cmp.Compare(s.fails[a].Lot, s.fails[b].Lot))
		})
		for _, i := range members {
			l.take(i)
			if i != first {
				at = append(at, s.fails[i].At)
				failed += s.failCounts[i]
			}
		}
		list = slices.DeleteFunc(list, func(b burst) bool { return b.p > unlinked })
	}
}

func newLinker(m *miner, s *sampled) *linker {
	l := &linker{
		m: m, sample: s, ticks: make([]int32, len(m.ledger.panes)), bucket: make([]int32, len(s.fails)), classes: make([][]int32, len(s.fails)),
		gone: make([]bool, len(s.fails)), failed: make([]int64, m.ledger.ticks),
		of: make([]int64, len(m.classes.list)),
	}
	for i := range m.ledger.cells {
		c := &m.ledger.cells[i]
		l.ticks[c.pane] = int32(c.tick)
	}
	for i, e := range s.fails {
		l.bucket[i] = l.ticks[m.ledger.at[e.At/64]]
		l.failed[l.bucket[i]] += s.failCounts[i]
		l.left += s.failCounts[i]
		for _, id := range e.Conditions {
			k := m.classes.of[id]
			if k < 0 || m.classes.list[k].first != id || m.classes.list[k].context != varies {
				continue
			}
			l.classes[i] = append(l.classes[i], k)
			l.of[k] += s.failCounts[i]
		}
	}
	return l
}

// possible lists the bursts that there may be: some failures of a class, from a bucket
// that has one.
func (l *linker) possible() []burst {
	byClass := make([][]int32, len(l.of))
	for i, ks := range l.classes {
		for _, k := range ks {
			byClass[k] = append(byClass[k], int32(i))
		}
	}
	var list []burst
	for k, members := range byClass {
		slices.SortStableFunc(members, func(a, b int32) int { return cmp.Compare(l.bucket[a], l.bucket[b]) })
		for i, first := range members {
			from := l.bucket[first]
			if i > 0 && l.bucket[members[i-1]] == from {
				continue
			}
			for to := from; to < from+longestBurst && int(to) < len(l.failed); to++ {
				n := i
				for n < len(members) && l.bucket[members[n]] <= to {
					n++
				}
				if n-i > 1 {
					list = append(list, burst{class: int32(k), from: from, to: to, members: slices.Clone(members[i:n]), share: l.share(int32(k), from, to)})
				}
			}
		}
	}
	return list
}

// share is the part of the traffic in some buckets that has a class.
func (l *linker) share(class, from, to int32) float64 {
	var have, total int64
	for i, p := range l.m.ledger.panes {
		if t := l.ticks[i]; t < from || t > to {
			continue
		}
		total += p.total
		if c := p.column(l.m.classes.list[class].first); c != nil {
			have += c.total
		}
	}
	return float64(have) / float64(max(total, 1))
}

// p is the probability of a burst by chance, given the failures that are in no other.
func (l *linker) p(b *burst) float64 {
	b.members = slices.DeleteFunc(b.members, func(i int32) bool { return l.gone[i] })
	if len(b.members) < 2 {
		return 1
	}
	var failed, all int64
	for _, i := range b.members {
		failed += l.sample.failCounts[i]
	}
	for t := b.from; t <= b.to; t++ {
		all += l.failed[t]
	}
	share := b.share
	if others := l.left - all; others > 0 {
		share = max(share, float64(l.of[b.class]-failed)/float64(others))
	}
	if float64(failed) <= share*float64(all) {
		return 1
	}
	return binomialTail(float64(all), float64(failed), share)
}

// take takes a failure into a burst.
func (l *linker) take(i int32) {
	n := l.sample.failCounts[i]
	l.gone[i] = true
	l.failed[l.bucket[i]] -= n
	l.left -= n
	for _, k := range l.classes[i] {
		l.of[k] -= n
	}
}
