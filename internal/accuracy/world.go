package accuracy

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// Seeds of worlds come from two ranges that never meet: methods are tuned on
// the one and reported on the other.
const (
	tuning    = 1_000_000
	reporting = 2_000_000
	mostSeeds = 1_000_000
)

// Tuning returns the i-th seed to tune methods on. Tests use these too.
func Tuning(i int) uint64 { return tuning + uint64(i)%mostSeeds }

// Reporting returns the i-th seed to report figures on.
func Reporting(i int) uint64 { return reporting + uint64(i)%mostSeeds }

// A Plan says what a world is like. The zero value of a field means none.
type Plan struct {
	Seed uint64
	// Requests is how many there are, over ten minutes.
	Requests int
	// Base is the mean risk of a request that no cause touches.
	Base float64
	// Orders are the numbers of conditions of the causes that are planted, and
	// Risk is that of a request that has all conditions of one.
	Orders []int
	Risk   float64
	// Failures, if there are any, is how many are expected: it sets Requests.
	Failures int
	// KeepOne says that one in so many successes is kept, for so many.
	KeepOne int
	// MostRows bounds the rows, by keeping fewer successes.
	MostRows int
	// Retries is the chance that a request that failed comes again.
	Retries float64
	// Shape may change the fleet and the causes before requests are drawn.
	Shape func(*Draft)
}

// A Cause is a set of conditions under which requests fail at a risk.
type Cause struct {
	Set Set
	// Share is that of the requests that have the set.
	Share float64
	Risk  float64
	at    []state
}

// A state is a value of a column.
type state struct {
	col   int
	value uint16
}

// A Draft is a world before its requests are drawn.
type Draft struct {
	*fleet
	Causes []Cause
	// Chance, if set, changes the risk of the request that was drawn last.
	Chance func(at, risk float64) float64
}

// A World is a table and the truth about it.
type World struct {
	Table  interaction.Table
	Causes []Cause
	// Chance is the true risk of each row's request.
	Chance []float32
	// background is what that would be without any cause.
	background []float32
	fleet      *fleet
	ids        []condition.ID // room for those of the next rows
}

// lasts is how long the traffic of a world goes on.
const lasts = 10 * time.Minute

// start is when all worlds begin.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// Build makes the world. The same plan gives the same world.
func (p Plan) Build() *World {
	f := newFleet(p.Seed)
	d := &Draft{fleet: f}
	for _, order := range p.Orders {
		d.plant(order, p.Risk)
	}
	if p.Shape != nil {
		p.Shape(d)
	}
	requests := p.requests(d)
	keep := max(1, p.KeepOne)
	if p.MostRows > 0 {
		keep = max(keep, (requests+p.MostRows-1)/p.MostRows)
	}
	w := &World{Causes: d.Causes, fleet: f}
	w.Table.Conditions = f.conditions()
	w.Table.Rows = make([]interaction.Row, 0, requests/keep+requests/100)
	kept := rand.New(rand.NewPCG(p.Seed, 0x5EED)) // apart, so that requests do not depend on it
	again := false
	for i := range requests {
		at := float64(i) / float64(requests)
		if again {
			f.value[colAttempt] = 1
		} else {
			f.next(at)
		}
		background := min(1, p.Base*d.base(at))
		risk := d.risk(at, background)
		failed := f.rng.Float64() < risk
		again = failed && !again && f.rng.Float64() < p.Retries
		if failed || keep == 1 || kept.IntN(keep) == 0 {
			w.add(at, failed, keep, risk)
			w.background = append(w.background, float32(background))
		}
	}
	return w
}

// requests is how many there are.
func (p Plan) requests(d *Draft) int {
	if p.Failures == 0 {
		return p.Requests
	}
	rate := p.Base
	for _, c := range d.Causes {
		rate += c.Share * (c.Risk - p.Base)
	}
	return int(math.Round(float64(p.Failures) / rate))
}

// add appends the request that was drawn last.
func (w *World) add(at float64, failed bool, keep int, risk float64) {
	if len(w.ids)+columns > cap(w.ids) {
		w.ids = make([]condition.ID, 0, 1024*columns)
	}
	from := len(w.ids)
	for k := range w.fleet.columns {
		w.ids = append(w.ids, w.fleet.columns[k].first+condition.ID(w.fleet.value[k]))
	}
	r := interaction.Row{
		Time: start().Add(time.Duration(at * float64(lasts))), Total: 1,
		Conditions: w.ids[from:len(w.ids):len(w.ids)],
	}
	if keep > 1 {
		r.Weight = float64(keep)
	}
	if failed {
		r.Failed = 1
	}
	w.Table.Rows = append(w.Table.Rows, r)
	w.Chance = append(w.Chance, float32(risk))
}

// risk is that of the request that was drawn last, given what it would be without
// any cause.
func (d *Draft) risk(at, background float64) float64 {
	risk := background
	for i := range d.Causes {
		if d.holds(&d.Causes[i]) {
			risk = max(risk, d.Causes[i].Risk)
		}
	}
	if d.Chance != nil {
		risk = d.Chance(at, risk)
	}
	return risk
}

func (f *fleet) holds(c *Cause) bool {
	for _, x := range c.at {
		if f.value[x.col] != x.value {
			return false
		}
	}
	return true
}

// Canonical returns the set with one condition for all that never part.
func (w *World) Canonical(cs []condition.Condition) Set {
	out := slices.Clone(cs)
	for i, c := range out {
		if c.Dimension == "config" {
			out[i].Dimension, out[i].Value = "service.version", c.Value[1:]
		}
	}
	return NewSet(out...)
}

// Found reports whether a finding names a cause, modulo exact aliases.
func (w *World) Found(f *interaction.Finding, c *Cause) bool {
	return w.Canonical(f.Conditions).Equal(w.Canonical(c.Set))
}

// Permute deals the failures of each ten seconds and entry out again, so that
// nothing else has to do with them.
func (w *World) Permute(rng *rand.Rand) {
	strata := make(map[[2]int][]int)
	entry := w.fleet.columns[colEntry].first
	for i := range w.Table.Rows {
		r := &w.Table.Rows[i]
		key := [2]int{int(r.Time.Sub(start()) / (10 * time.Second)), int(r.Conditions[colEntry] - entry)}
		strata[key] = append(strata[key], i)
	}
	keys := make([][2]int, 0, len(strata))
	for k := range strata {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b [2]int) int { return slices.Compare(a[:], b[:]) })
	for _, k := range keys {
		rows := strata[k]
		rng.Shuffle(len(rows), func(i, j int) {
			a, b := &w.Table.Rows[rows[i]], &w.Table.Rows[rows[j]]
			a.Failed, b.Failed = b.Failed, a.Failed
			a.Weight, b.Weight = b.Weight, a.Weight
		})
	}
}
