package interaction

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/search"
)

// fewFailures is below how many failures a set that misses the bound over all
// sets is given a permutation test, which knows how much sets overlap.
const fewFailures = 200

// permuted is the part of Alpha at which a permutation test counts. The bound
// over all sets keeps false alarms far below Alpha; this test would not, and a
// window is analysed every few seconds.
const permuted = 0.1

// mostPermuted is how many conditions a set may have that is given the test. The
// larger ones among a hundred failures are so many that each permutation would
// take a tenth of a second; they have the bound.
const mostPermuted = 2

// clumped is the dispersion from which failures may have come in bursts.
const clumped = 1.5

// A pool is the sample of a search, by stratum, with what each entry counts.
type pool struct {
	entries []search.Entry // by stratum
	failed  []int64
	ok      []int64
}

// pool joins the sampled failures and successes.
func (m *miner) pool(s *sampled) *pool {
	at := make(map[int32]int)
	p := &pool{}
	place := func(e search.Entry) int {
		i, ok := at[e.At]
		if !ok {
			i = len(p.entries)
			at[e.At] = i
			p.entries = append(p.entries, e)
			p.failed, p.ok = append(p.failed, 0), append(p.ok, 0)
		}
		return i
	}
	for i, e := range s.fails {
		p.failed[place(e)] += s.failCounts[i]
	}
	for i, e := range s.oks {
		p.ok[place(e)] += s.okCounts[i]
	}
	// Draws must not depend on the order of rows.
	order := make([]int, len(p.entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := p.entries[a], p.entries[b]
		return cmp.Or(cmp.Compare(x.Stratum, y.Stratum),
			slices.Compare(x.Conditions, y.Conditions),
			cmp.Compare(m.ledger.at[x.At/64], m.ledger.at[y.At/64]))
	})
	q := &pool{}
	for _, i := range order {
		q.entries = append(q.entries, p.entries[i])
		q.failed, q.ok = append(q.failed, p.failed[i]), append(q.ok, p.ok[i])
	}
	return q
}

// deal hands the failures of each stratum out at random among its observations.
func (p *pool) deal(rng *rand.Rand) (failed, ok []int64) {
	failed, ok = make([]int64, len(p.entries)), make([]int64, len(p.entries))
	for from := 0; from < len(p.entries); {
		to := from
		var f, n int64
		for ; to < len(p.entries) && p.entries[to].Stratum == p.entries[from].Stratum; to++ {
			f, n = f+p.failed[to], n+p.failed[to]+p.ok[to]
		}
		// Selection sampling: each observation fails with the chance that the
		// failures still to be dealt bear to the observations still to come
		// (Fan, Muller and Rezucha 1962).
		for i := from; i < to; i++ {
			for left := p.failed[i] + p.ok[i]; left > 0; left-- {
				if f == 0 {
					ok[i] += left
					break
				}
				if rng.Int64N(n) < f {
					failed[i]++
					f--
				} else {
					ok[i]++
				}
				n--
			}
		}
		from = to
	}
	return failed, ok
}

// striking is the share of permutations of the failures within strata whose
// best set of up to mostPermuted conditions scores as high (Westfall and Young 1993). It
// stops when there have been too many for the answer to matter. The search must be run
// again before it is used for anything but its list: its room is worked in.
//
// Which observations there are stays the same, so that they are laid out once,
// failed or not; only the failures, which are few, are laid out anew.
func (m *miner) striking(ctx context.Context, s *search.Search, sample *sampled, score float64) float64 {
	p := m.pool(sample)
	var fails, all search.Board
	counts := make([]int64, len(p.entries))
	for i := range counts {
		counts[i] = p.failed[i] + p.ok[i]
	}
	all.Lay(m.classes.searched, sample.band, p.entries, counts)
	t := s.Permuted(&all, mostPermuted)
	rng := rand.New(rand.NewPCG(m.options.Seed, uint64(len(p.entries))))
	most := int(permuted*m.options.Alpha*float64(m.options.Permutations+1) + 1e-9)
	reached := 1
	var at []search.Entry
	for b := range m.options.Permutations {
		failed, _ := p.deal(rng)
		at, counts = at[:0], counts[:0]
		for i, e := range p.entries {
			if failed[i] > 0 {
				at, counts = append(at, e), append(counts, failed[i])
			}
		}
		fails.Lay(m.classes.searched, sample.band, at, counts)
		if t.Reaches(&fails, score) {
			reached++
		}
		if ctx.Err() != nil || reached > most {
			return float64(reached) / float64(b+2)
		}
	}
	return float64(reached) / float64(m.options.Permutations+1)
}
