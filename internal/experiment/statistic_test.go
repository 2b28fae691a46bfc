package experiment

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestFisherEqualsCountingTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nA, nB := rapid.IntRange(1, 30).Draw(t, "nA"), rapid.IntRange(1, 30).Draw(t, "nB")
		a, b := rapid.IntRange(0, nA).Draw(t, "a"), rapid.IntRange(0, nB).Draw(t, "b")
		want := countTables(a, nA, b, nB)
		if got := fisher(a, nA, b, nB); math.Abs(got-want) > 1e-9 {
			t.Errorf("fisher(%d/%d, %d/%d) = %g, counted %g", a, nA, b, nB, got, want)
		}
	})
}

// countTables is Fisher's p in whole numbers.
func countTables(a, nA, b, nB int) float64 {
	ways := func(x int) *big.Int {
		w := new(big.Int).Binomial(int64(nA), int64(x))
		return w.Mul(w, new(big.Int).Binomial(int64(nB), int64(a+b-x)))
	}
	seen, all, tail := ways(a), new(big.Int), new(big.Int)
	for x := 0; x <= min(nA, a+b); x++ {
		if a+b-x > nB {
			continue
		}
		w := ways(x)
		all.Add(all, w)
		if w.Cmp(seen) <= 0 {
			tail.Add(tail, w)
		}
	}
	p, _ := new(big.Rat).SetFrac(tail, all).Float64()
	return p
}

// sampled makes a sample in which arm a does harm with the risk given.
func sampled(risks map[Arm]float64, n int, r *rand.Rand) *sample {
	s := &sample{options: Options{Factors: []string{"a", "b", "c"}}.withDefaults(), outcomes: map[Arm][]Outcome{}}
	for a := range Arm(8) {
		p, ok := risks[a]
		if !ok {
			continue
		}
		for range n {
			s.outcomes[a] = append(s.outcomes[a], Outcome{Harm: r.Float64() < p})
		}
	}
	return s
}

func TestContrastsAreTheDifferencesTheyAreDefinedAs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s := sampled(map[Arm]float64{0: .1, 1: .4, 2: .3, 3: .9, 4: .2, 5: .5, 6: .1, 7: .8}, 30, r)
	p := s.risk
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"IC of two", s.conjunction(3, 0).Value, p(3) - p(1) - p(2) + p(0)},
		{"IC of two while c is on", s.conjunction(3, 4).Value, p(7) - p(5) - p(6) + p(4)},
		{"IC of three", s.conjunction(7, 0).Value, p(7) - p(6) - p(5) - p(3) + p(1) + p(2) + p(4) - p(0)},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s is %g, want %g", c.name, c.got, c.want)
		}
	}
	main, _ := s.contrast(1, full([]int{0, 1, 2}), -1, 3)
	if want := (p(1) + p(3) + p(5) + p(7) - p(0) - p(2) - p(4) - p(6)) / 4; math.Abs(main.Effect-want) > 1e-12 {
		t.Errorf("effect of a is %g, want %g", main.Effect, want)
	}
	pair, _ := s.contrast(3, full([]int{0, 1, 2}), -1, 3)
	if want := (p(0) + p(3) + p(4) + p(7) - p(1) - p(2) - p(5) - p(6)) / 4; math.Abs(pair.Effect-want) > 1e-12 {
		t.Errorf("effect of a with b is %g, want %g", pair.Effect, want)
	}
}

// How often an interval holds the truth is found by trying. 200 tries know a
// share of 95 % only within 3 points.
func TestIntervalsHoldTheTruthAsOftenAsTheySay(t *testing.T) {
	if testing.Short() {
		t.Skip("it counts chances, in one goroutine")
	}
	const tries = 200
	for _, c := range []struct {
		name  string
		risks map[Arm]float64
		n     int
	}{
		{"a pure conjunction", map[Arm]float64{0: 0.002, 1: 0.002, 2: 0.002, 3: 0.95}, 40},
		{"a weak conjunction", map[Arm]float64{0: 0.05, 1: 0.1, 2: 0.1, 3: 0.6}, 40},
		{"an additive pair", map[Arm]float64{0: 0.1, 1: 0.4, 2: 0.3, 3: 0.6}, 60},
		{"few replications", map[Arm]float64{0: 0.02, 1: 0.2, 2: 0.02, 3: 0.8}, 20},
	} {
		r := rand.New(rand.NewPCG(7, 7))
		ic := c.risks[3] - c.risks[1] - c.risks[2] + c.risks[0]
		kappa := ic / (c.risks[3] - c.risks[0])
		var inIC, inKappa int
		for range tries {
			s := sampled(c.risks, c.n, r)
			s.options.Seed = r.Uint64()
			if e := s.conjunction(3, 0); e.Low <= ic && ic <= e.High {
				inIC++
			}
			if e, ok := s.kappa(3, 0); ok && e.Low <= kappa && kappa <= e.High {
				inKappa++
			}
		}
		t.Logf("%s: the interval of IC held it in %d of %d tries, that of κ in %d", c.name, inIC, tries, inKappa)
		if inIC < tries*92/100 || inKappa < tries*92/100 {
			t.Errorf("%s: the interval of IC held it in %d of %d tries, that of κ in %d; want 95%%", c.name, inIC, tries, inKappa)
		}
	}
}

func TestPairedIsUniformWhenThereIsNoDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	const tries = 2000
	below := 0
	for range tries {
		d := make([]float64, 12)
		for i := range d {
			d[i] = r.NormFloat64()
		}
		if paired(d) < 0.05 {
			below++
		}
	}
	if below < tries*4/100 || below > tries*6/100 {
		t.Errorf("p is below 0.05 in %d of %d tries without a difference, want 5%%", below, tries)
	}
	if p := paired([]float64{1, 1, 1, 1}); p != 0.125 {
		t.Errorf("four times the same difference: p is %g, want 1/8, as of the signs", p)
	}
}

func TestQuantileIsOneOfTheValues(t *testing.T) {
	sorted := []float64{1, 2, 3, 4}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.5: 2, 0.51: 3, 1: 4} {
		if got := Quantile(sorted, q); got != want {
			t.Errorf("Quantile(%g) = %g, want %g", q, got, want)
		}
	}
}
