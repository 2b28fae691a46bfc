package interaction

import (
	"cmp"
	"math"
	"slices"
)

const (
	// necessity is the p at which an element of a set counts as needed. All of
	// a set's elements must reach it, so there is no multiplicity in it; that
	// the element was chosen among many is what the price is for. Of 40 failures
	// in a set, none without a flag that nine in ten requests have shows that it is
	// needed at 0.02, and does not at 0.01.
	necessity = 0.02
	// doubtful is the p of a set as a whole above which its elements must be
	// shown ten times as clearly.
	doubtful = 1e-3
	// fewRows is below how many observations a cell says nothing by itself.
	fewRows = 20
)

// A judgement is what all rows say about a set that the search proposed.
type judgement struct {
	set      []int32
	cells    []sum // by which elements hold; between all but one and none, empty; nil if hopeless or needless
	test     split
	phi      float64 // how much its failures vary in time, chance being 1
	p        float64 // adjusted for all sets that were possible
	excess   float64
	score    float64
	needless bool          // an element was not shown to be needed
	during   []coincidence // environments it keeps to, that may be no part of it
	worse    []aggravator  // not needed, but making it worse
	thin     []int         // elements without which there are too few observations
	after    int           // how many findings had been put aside
	aside    int64         // failures that repeat others in a burst, not counted to show it
}

// A counted set is one that was tested against the rest of the traffic.
type counted struct {
	judgement
	whole *question // what it counts, and what lacks the first element to be tested
}

// count counts sets on all rows that are alive and tests them against the rest of the
// traffic, at the level of their order. What it returns is good until the next ones.
func (m *miner) count(sets [][]int32) []counted {
	x := m.exact
	x.need(slices.Concat(sets...))
	x.strata() // from here on nothing is made any more
	list, lacks := x.wholes.take(len(sets)), x.lacks.take(len(sets))
	for i, set := range sets {
		if len(set) > 1 {
			x.apart(&list[i], &lacks[i], set, m.widestFirst(set)[0])
		} else {
			x.whole(&list[i], set)
		}
	}
	x.l.ask(x.alive, list)
	out := make([]counted, len(sets))
	x.inRooms(len(sets), func(room *near, i int) {
		out[i] = counted{m.prejudge(room, &list[i], sets[i]), &list[i]}
	})
	return out
}

// judge tests sets that were counted against what each element's absence leaves as
// well (an intersection-union test), but for the one at shown, if that is not
// negative, which was shown to be needed in another way.
func (m *miner) judge(sets []counted, shown int) []judgement {
	out := make([]judgement, len(sets))
	m.exact.inRooms(len(sets), func(room *near, i int) { out[i] = m.judgeIn(room, sets[i], shown) })
	return out
}

// judgeOne counts a set and judges it.
func (m *miner) judgeOne(set []int32, shown int) judgement {
	return m.judge(m.count([][]int32{set}), shown)[0]
}

// judgeIn judges a set in a room of its own.
func (m *miner) judgeIn(t *near, set counted, shown int) judgement {
	j := set.judgement
	if m.hopeless(j) {
		return j // most are, and the rest of the judgement costs more
	}
	t.begin(m.exact, j.set, len(j.set), set.whole)
	if len(j.set) > 1 {
		needed := necessity
		if j.p > doubtful {
			needed /= 10
		}
		for i, e := range m.widestFirst(j.set) {
			if i == 0 {
				t.take(set.whole.lack, e+1)
			} else {
				t.lack(e)
			}
			if e != shown && t.without(e).p() > needed {
				j.needless = true
				return j
			}
		}
	}
	j.excess, j.cells = t.excess(m.ledger.typical), t.table()
	j.thin = m.thin(j)
	return j
}

// widestFirst is the order in which the elements of a set are tested: what most
// traffic has is the most likely to be no part of a cause.
func (m *miner) widestFirst(set []int32) []int {
	order := make([]int, len(set))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(m.classes.list[set[b]].total, m.classes.list[set[a]].total)
	})
	return order
}

// prejudge tests a set that has been counted against the rest of the traffic.
func (m *miner) prejudge(t *near, whole *question, set []int32) judgement {
	t.begin(m.exact, set, 0, whole)
	j := judgement{set: set, test: t.others(), p: 1}
	j.score = j.test.deviance() - m.price[len(set)] - m.classes.searched.Dear(set)
	if j.score > 0 { // or it is hopeless
		j.phi = dispersion(t.clock(m.exact, whole), byChance)
		j.p = min(1, j.test.dispersed(j.phi)*m.multiplicity(set))
	}
	return j
}

// hopeless reports whether a set that was tested against the rest of the traffic
// will not hold.
func (m *miner) hopeless(j judgement) bool {
	return j.score <= 0 || j.p > m.options.Alpha && m.ledger.failed >= fewFailures
}

// thin lists the elements of a set without which there are too few observations
// to say whether they are needed.
func (m *miner) thin(j judgement) (out []int) {
	whole := len(j.cells) - 1
	for i := range j.set {
		if len(j.set) > 1 && j.cells[whole&^(1<<i)].total() < fewRows {
			out = append(out, i)
		}
	}
	return out
}

// whole is what has all elements of the set.
func (j *judgement) whole() sum { return j.cells[len(j.cells)-1] }

// holds reports whether the set passed all tests.
func (m *miner) holds(j judgement) bool {
	return j.p <= m.options.Alpha && !j.needless && j.excess > 0 && j.score > 0
}

// verdict says what kind of explanation the set is, and how strong; for an
// interaction also the contrast that shows it.
//
// The contrast is that of sufficient causes: the risk of the whole set less
// the risks with one element missing. Above zero it proves that some requests
// fail under all of the elements that fail under no fewer (VanderWeele and
// Robins 2008); above the background too, that they fail only together. Its
// excess over the sum of the parts' excesses makes it super-additive at least.
func (m *miner) verdict(j judgement, t *cross) (v Verdict, grade string, by contrast) {
	k := len(j.set)
	switch {
	case m.downstream(j.set):
		return Proxy, "", nil
	case k == 1:
		return SingleCause, "", nil
	}
	if len(j.thin) > 0 {
		return Joint, "", nil
	}
	whole := t.whole()
	value := func(cell int) proportion { return t.cells[cell].risk(m.ledger.typical) }
	parts := contrast{{1, value(whole)}}
	for i := range k {
		parts = append(parts, part{-1, value(whole &^ (1 << i))})
	}
	for _, g := range []struct {
		background float64
		grade      string
	}{{-1, onlyTogether}, {0, "interaction"}, {float64(k - 1), superAdditive}} {
		by := append(parts[:k+1:k+1], part{g.background, value(0)})
		if low, _ := by.interval(normal95); low > 0 {
			return Interact, g.grade, by
		}
	}
	return Joint, "", nil
}

// Grades of an interaction.
const (
	onlyTogether  = "only together"
	superAdditive = "super-additive"
)

// difference is the risk of the whole set less the highest with an element
// missing, or for a single cause less that of the rest.
func (m *miner) difference(t *cross) float64 {
	whole := t.whole()
	worst := 0.0
	for i := range t.order {
		if c := t.cells[whole&^(1<<i)]; c.total() > 0 {
			worst = math.Max(worst, c.risk(m.ledger.typical).risk)
		}
	}
	return t.cells[whole].risk(m.ledger.typical).risk - worst
}
