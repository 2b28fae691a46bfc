package interaction_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"example.test/eddy/internal/interaction"
)

// likelihood is that of x in n at a risk, as a logarithm.
func likelihood(x, n, risk float64) float64 {
	l := 0.0
	if x > 0 {
		l += x * math.Log(risk)
	}
	if n > x {
		l += (n - x) * math.Log1p(-risk)
	}
	return l
}

func TestInTheTailAContrastIsJudgedByItsLikelihood(t *testing.T) {
	for _, x := range []struct{ failed, n []float64 }{
		{[]float64{60, 4, 6}, []float64{200, 900, 700}},
		{[]float64{40, 0, 1}, []float64{400, 500, 3000}},
		{[]float64{9, 0, 0}, []float64{9, 800, 20}},
	} {
		// The greatest likelihood under risk = risk + risk, by trying all.
		total := func(a, b float64) float64 {
			return likelihood(x.failed[0], x.n[0], a+b) + likelihood(x.failed[1], x.n[1], a) + likelihood(x.failed[2], x.n[2], b)
		}
		best := math.Inf(-1)
		const steps = 1500
		for i := 1; i < steps; i++ {
			for j := 1; j < steps-i; j++ {
				a, b := math.Pow(float64(i)/steps, 3), math.Pow(float64(j)/steps, 3)
				best = max(best, total(a, b))
			}
		}
		free := 0.0
		for i := range x.n {
			free += likelihood(x.failed[i], x.n[i], x.failed[i]/x.n[i])
		}
		want := math.Erfc(math.Sqrt(free-best)) / 2 // half of chi-squared with one degree above twice that
		got := interaction.ContrastP([]float64{1, -1, -1}, x.failed, x.n)
		if got <= 0 || math.Abs(math.Log(got/want)) > 0.05 {
			t.Errorf("%v of %v: got p %.3g, want %.3g", x.failed, x.n, got, want)
		}
	}
}

func TestTheContrastOfNoInteractionIsSeldomStriking(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	draw := func(n int, risk float64) (failed float64) {
		for range n {
			if rng.Float64() < risk {
				failed++
			}
		}
		return failed
	}
	const runs = 4000
	for _, level := range []float64{0.05, 0.01} {
		striking := 0
		for range runs {
			if interaction.ContrastP([]float64{1, -1, -1}, []float64{draw(300, 0.3), draw(300, 0.1), draw(300, 0.2)}, []float64{300, 300, 300}) <= level {
				striking++
			}
		}
		// Three standard deviations above the level, and MOVER's own error.
		if most := level*runs + 3*math.Sqrt(level*runs) + 0.1*level*runs; float64(striking) > most {
			t.Errorf("p is at most %v in %d of %d runs, want at most %.0f", level, striking, runs, most)
		}
	}
}

func TestAContrastHasAPWhereNoneFailedInAPart(t *testing.T) {
	of := []float64{1, -1, -1, -1, -1}
	for n := 150.0; n < 250; n++ {
		p := interaction.ContrastP(of, []float64{84, 0, 1, 1, 0}, []float64{180, n, 190, 185, n + 7})
		if !(p > 0 && p < 1e-12) {
			t.Errorf("of %v none failed: p %v, want one above 0 and below 1e-12", n, p)
		}
	}
}
