package interaction

import (
	"math"
	"math/bits"
	"slices"

	"example.test/eddy/internal/condition"
)

// An entry of the ledger stands for all rows of one stratum with the same
// conditions.
type entry struct {
	conditions []condition.ID
	hash       uint64 // of the conditions
	stratum    int32
	failed     int64
	ok         int64
	// units is what the successes count in tests, in 1/scale of an observation.
	units int64
	// weight and weight2 are the sums of the successes' weights, in 1/64, and
	// of their squares: whole numbers, so that sums do not depend on order.
	weight, weight2 float64
}

// A ledger is a table reduced to its distinct rows, in the order of strata.
type ledger struct {
	entries []entry
	start   []int // where each stratum's entries begin, and the end of the last
	scale   int64
	total   int64 // observations
	failed  int64 // of them
	typical float64
	same    float64 // what every success weighs, in 1/64; 0 if they differ
}

// weightUnit is the precision to which weights are kept.
const weightUnit = 64

// differ stands for weights that are not all the same.
const differ = -1

// reduce merges the rows of t that are alike.
func reduce(t Table, g grouping) *ledger {
	hashes := make([]uint64, len(t.Rows))
	inTwo(len(t.Rows), func(_, from, to int) {
		for i := from; i < to; i++ {
			hashes[i] = hashIDs(t.Rows[i].Conditions)
		}
	})
	rows, at := order(g.stratum, g.strata)
	largest := 0
	for s := range g.strata {
		largest = max(largest, at[s+1]-at[s])
	}
	l := &ledger{entries: make([]entry, 0, len(rows)), start: make([]int, 0, g.strata+1)}
	seen := make([]int32, tableSize(largest))
	for s := range g.strata {
		l.start = append(l.start, len(l.entries))
		members := rows[at[s]:at[s+1]]
		slots := seen[:tableSize(len(members))]
		clear(slots)
		for _, i := range members {
			if t.Rows[i].Total > 0 {
				l.add(&t.Rows[i], hashes[i], int32(s), slots)
			}
		}
	}
	l.start = append(l.start, len(l.entries))
	if l.same == differ {
		l.same = 0
	}
	l.normalise()
	return l
}

// order lists the indexes of group in the order of the groups, which are
// numbered from 0 to n, and where each group begins.
func order(group []int32, n int) (members []int32, start []int) {
	start = make([]int, n+1)
	for _, g := range group {
		start[g+1]++
	}
	for g := range n {
		start[g+1] += start[g]
	}
	next := slices.Clone(start)
	members = make([]int32, len(group))
	for i, g := range group {
		members[next[g]] = int32(i)
		next[g]++
	}
	return members, start
}

// tableSize is the size of a hash table for n keys: a power of two.
func tableSize(n int) int { return 1 << bits.Len(uint(2*n)) }

// add counts a row. slots are a hash table of the stratum's entries, by number
// plus one, with linear probing.
func (l *ledger) add(r *Row, hash uint64, stratum int32, slots []int32) {
	at := hash & uint64(len(slots)-1)
	for ; slots[at] != 0; at = (at + 1) & uint64(len(slots)-1) {
		if e := &l.entries[slots[at]-1]; e.hash == hash && slices.Equal(e.conditions, r.Conditions) {
			break
		}
	}
	if slots[at] == 0 {
		l.entries = append(l.entries, entry{conditions: r.Conditions, hash: hash, stratum: stratum})
		slots[at] = int32(len(l.entries))
	}
	w := r.Weight
	if w == 0 {
		w = 1
	}
	w = max(1, math.Round(w*weightUnit))
	e := &l.entries[slots[at]-1]
	n := r.Total - r.Failed
	if n > 0 {
		switch l.same {
		case w:
		case 0:
			l.same = w
		default:
			l.same = differ
		}
	}
	e.failed += int64(r.Failed)
	e.ok += int64(n)
	e.weight += w * float64(n)
	e.weight2 += w * w * float64(n)
	l.total += int64(r.Total)
	l.failed += int64(r.Failed)
}

// normalise sets what successes count in tests. Within a stratum their weights
// are scaled so that they add up to Kish's effective number, which for equal
// weights is how many there are: the retrospective test, valid however many
// successes were sampled away.
func (l *ledger) normalise() {
	l.scale = 1
	var all, count float64
	factor := make([]float64, len(l.start)-1)
	for s := range factor {
		var n, w, w2 float64
		for _, e := range l.entries[l.start[s]:l.start[s+1]] {
			n, w, w2 = n+float64(e.ok), w+e.weight, w2+e.weight2
		}
		all, count = all+w, count+n
		if w2 > 0 {
			factor[s] = w / w2
			if math.Abs(w*w/w2-n) > 1e-6*n {
				l.scale = 16
			}
		}
	}
	l.typical = 1
	if count > 0 {
		l.typical = all / count / weightUnit
	}
	for i := range l.entries {
		e := &l.entries[i]
		e.units = int64(math.Round(e.weight * factor[e.stratum] * float64(l.scale)))
	}
}

// hashIDs hashes a set of conditions by content (FNV-1a over whole numbers,
// then mixed).
func hashIDs(ids []condition.ID) uint64 {
	h := uint64(14695981039346656037)
	for _, id := range ids {
		h = (h ^ uint64(id)) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
