package experiment_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"example.test/eddy/internal/experiment"
)

// by makes a trial of a risk by arm.
func by(risk func(a experiment.Arm) float64) experiment.Trial {
	return func(_ context.Context, a experiment.Arm, seed uint64) (experiment.Outcome, error) {
		r := rand.New(rand.NewPCG(seed, uint64(a)))
		return experiment.Outcome{Harm: r.Float64() < risk(a)}, nil
	}
}

// when is the risk of an arm that holds one of the sets, and otherwise.
func when(high, low float64, sets ...experiment.Arm) func(experiment.Arm) float64 {
	return func(a experiment.Arm) float64 {
		for _, s := range sets {
			if s&^a == 0 {
				return high
			}
		}
		return low
	}
}

func factors(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("f%d", i))
	}
	return out
}

func run(t *testing.T, o experiment.Options, trial experiment.Trial) experiment.Result {
	t.Helper()
	r, err := experiment.Run(t.Context(), o, trial)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheVerdictIsThatOfTheRisks(t *testing.T) {
	table := func(p00, p10, p01, p11 float64) func(experiment.Arm) float64 {
		return func(a experiment.Arm) float64 { return []float64{p00, p10, p01, p11}[a] }
	}
	for _, c := range []struct {
		name string
		risk func(experiment.Arm) float64
		want experiment.Verdict
		set  string
	}{
		{"only together", table(0, 0, 0, 0.95), experiment.ProvenConjunction, "f0 f1"},
		{"parts do harm too", table(0.02, 0.3, 0.02, 0.95), experiment.Amplifying, "f0 f1"},
		{"the sum of the parts", table(0, 0.4, 0.4, 0.8), experiment.Additive, "f0 f1"},
		{"less than the sum", table(0, 0.45, 0.45, 0.55), experiment.Antagonistic, "f0 f1"},
		{"one alone", table(0, 0.9, 0, 0.9), experiment.SingleCause, "f0"},
		{"nothing", table(0, 0, 0, 0), experiment.None, ""},
		{"always", table(0.9, 0.9, 0.9, 0.9), experiment.Regardless, ""},
		{"on the edge of harmless", table(0, 0.1, 0, 0.95), experiment.Undecided, "f0 f1"},
	} {
		r := run(t, experiment.Options{Factors: factors(2), Seed: 1}, by(c.risk))
		var set string
		if len(r.Sets) > 0 {
			set = strings.Join(r.Sets[0].Factors, " ")
		}
		if r.Verdict != c.want || set != c.set {
			t.Errorf("%s: %s of %q, want %s of %q\ncells %+v", c.name, r.Verdict, set, c.want, c.set, r.Cells)
		}
		if (r.Verdict == experiment.Undecided || r.Verdict == experiment.Regardless) && len(r.Missing) == 0 {
			t.Errorf("%s: %s, and nothing is missing", c.name, r.Verdict)
		}
	}
}

func TestADefenceIsNamedAsWhatBreaksTheSet(t *testing.T) {
	// f0 and f1 do harm unless f2 is on; f3 is a bystander.
	risk := func(a experiment.Arm) float64 {
		if a.On(0) && a.On(1) && !a.On(2) {
			return 1
		}
		return 0
	}
	r := run(t, experiment.Options{Factors: factors(4)}, by(risk))
	if got := r.Proven(); !reflect.DeepEqual(got, [][]string{{"f0", "f1"}}) {
		t.Fatalf("proven %v, want f0 with f1", got)
	}
	if got := r.Sets[0].Breaks; !slices.Equal(got, []string{"f2"}) {
		t.Errorf("broken by %v, want f2", got)
	}
	for _, e := range r.Sets[0].Edges {
		if e.P > 1e-6 {
			t.Errorf("taking %s away: p is %g", e.Without, e.P)
		}
	}
	if k := r.Kappa([]string{"f0", "f1"}, []string{"f3"}); k != 1 {
		t.Errorf("κ while f3 is on is %g, want 1", k)
	}
	if k := r.Kappa([]string{"f0", "f1"}, []string{"f2"}); !math.IsNaN(k) {
		t.Errorf("κ while f2 is on is %g, want none: there is no effect to share", k)
	}
	if k := r.Kappa([]string{"f0", "other"}, nil); !math.IsNaN(k) {
		t.Errorf("κ of what is not a factor is %g", k)
	}
}

func TestMinimalSetsAreThoseFoundByTryingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		planted := rapid.SliceOfN(rapid.Uint64Range(1, 31), 1, 4).Draw(t, "planted")
		harmful := func(a experiment.Arm) bool {
			return slices.ContainsFunc(planted, func(p uint64) bool { return p&^uint64(a) == 0 })
		}
		var arms []experiment.Arm
		for a := range experiment.Arm(32) {
			arms = append(arms, a)
		}
		got := experiment.Minimal(arms, harmful)
		for _, a := range arms {
			want := harmful(a)
			for less := range a {
				if less&^a == 0 && harmful(less) {
					want = false
				}
			}
			if slices.Contains(got, a) != want {
				t.Errorf("%05b is in %05b, want %t", a, got, want)
			}
		}
	})
}

func TestManyFactorsAreScreenedAndTheSetIsStillProven(t *testing.T) {
	for _, c := range []struct {
		factors int
		set     experiment.Arm
		design  string
	}{
		{8, 1<<2 | 1<<7, "resolution V"},
		{12, 1<<0 | 1<<5 | 1<<11, "resolution V"},
		{15, 1 << 9, "resolution V"},
		{24, 1<<3 | 1<<20, "pairs"},
		{60, 1<<17 | 1<<59, "pairs"},
	} {
		r := run(t, experiment.Options{Factors: factors(c.factors), Seed: 5}, by(when(0.98, 0.01, c.set)))
		if r.Screen == nil || r.Screen.Design != c.design || r.Screen.Unexplained != 0 {
			t.Errorf("%d factors: screen %+v, want %s without an unexplained arm", c.factors, r.Screen, c.design)
		}
		want := experiment.ProvenConjunction
		if c.set.Size() == 1 {
			want = experiment.SingleCause
		}
		if len(r.Sets) != 1 || len(r.Sets[0].Factors) != c.set.Size() || r.Verdict != want {
			t.Errorf("%d factors: %s of %+v, want %s of %b", c.factors, r.Verdict, r.Sets, want, c.set)
			continue
		}
		for _, f := range r.Sets[0].Factors {
			var i int
			if _, err := fmt.Sscanf(f, "f%d", &i); err != nil || !c.set.On(i) {
				t.Errorf("%d factors: %s is in the set, planted is %b", c.factors, f, c.set)
			}
		}
	}
}

func TestManyFactorsWithoutHarmAreNone(t *testing.T) {
	for _, n := range []int{9, 30} {
		r := run(t, experiment.Options{Factors: factors(n)}, by(when(0, 0)))
		if r.Verdict != experiment.None || len(r.Sets) != 0 || r.Screen.Harmful != 0 {
			t.Errorf("%d factors: %s, sets %v", n, r.Verdict, r.Sets)
		}
		r = run(t, experiment.Options{Factors: factors(n)}, by(when(0, 1)))
		if r.Verdict != experiment.Regardless {
			t.Errorf("%d factors, and harm without any: %s", n, r.Verdict)
		}
	}
}

func TestWhatTheScreenMissesIsSaid(t *testing.T) {
	// Four pairs do harm, which is more than can be crossed.
	r := run(t, experiment.Options{Factors: factors(12)}, by(when(1, 0, 3, 3<<2, 3<<4, 3<<6)))
	if r.Screen.Harmful == 0 || r.Screen.Unexplained == 0 || len(r.Screen.Left) < 2 || len(r.Missing) < 2 {
		t.Errorf("missing is %q: want the factors left out, and arms that they would explain", r.Missing)
	}
	if got := r.Proven(); len(got) != 3 {
		t.Errorf("proven %v, want three of the four pairs", got)
	}
}

func TestReplicationsStopWhenTheyAreEnough(t *testing.T) {
	clear := run(t, experiment.Options{Factors: factors(2), Min: 20, Max: 400}, by(when(1, 0, 3)))
	if clear.Replications >= 60 || clear.Verdict != experiment.ProvenConjunction {
		t.Errorf("%d replications for what is clear, %s", clear.Replications, clear.Verdict)
	}
	close := run(t, experiment.Options{Factors: factors(2), Min: 20, Max: 400, HalfWidth: 0.05}, by(when(0.6, 0.05, 3)))
	if close.Replications <= clear.Replications {
		t.Errorf("%d replications for what is close, %d for what is clear", close.Replications, clear.Replications)
	}
	few := run(t, experiment.Options{Factors: factors(2), Min: 10, Max: 20}, by(when(1, 0, 3)))
	if few.Verdict != experiment.Undecided || len(few.Missing) == 0 {
		t.Errorf("20 replications cannot exclude a risk of 0.1, and the verdict is %s, missing %q", few.Verdict, few.Missing)
	}
}

// Looking several times and stopping when it is enough must not make chance
// look like proof.
func TestChanceIsNotCalledProven(t *testing.T) {
	if testing.Short() {
		t.Skip("it counts chances, with trials that share nothing")
	}
	wrong := 0
	const tries = 100
	for seed := range uint64(tries) {
		// The parts do harm in 15 of 100 runs: not harmless.
		risk := func(a experiment.Arm) float64 { return []float64{0, 0.15, 0.15, 0.9}[a] }
		r := run(t, experiment.Options{Factors: factors(2), Min: 20, Max: 80, Seed: seed * 1000}, by(risk))
		if r.Verdict == experiment.ProvenConjunction {
			wrong++
		}
	}
	t.Logf("%d of %d were called proven, where both parts have a risk of 0.15 and 0.1 is harmless", wrong, tries)
	if wrong > tries/20 {
		t.Errorf("%d of %d were called proven", wrong, tries)
	}
}

func TestTheNumberOfWorkersDoesNotChangeTheResult(t *testing.T) {
	trial := func(_ context.Context, a experiment.Arm, seed uint64) (experiment.Outcome, error) {
		r := rand.New(rand.NewPCG(seed, 9))
		v := []float64{r.Float64() + float64(a.Size()), math.NaN()}
		return experiment.Outcome{Harm: a == 7 || r.Float64() < 0.05, Values: v}, nil
	}
	var first []byte
	for _, workers := range []int{1, 2, 7} {
		r := run(t, experiment.Options{Factors: factors(3), Measures: []string{"ttr", "never"}, Workers: workers}, trial)
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if string(got) != string(first) {
			t.Errorf("%d workers:\n%s\nwant\n%s", workers, got, first)
		}
	}
}

func TestProgressEndsWhereItSaidAndCancellingStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var ran atomic.Int64
	trial := func(context.Context, experiment.Arm, uint64) (experiment.Outcome, error) {
		if ran.Add(1) == 10 {
			cancel()
		}
		return experiment.Outcome{}, nil
	}
	_, err := experiment.Run(ctx, experiment.Options{Factors: factors(3)}, trial)
	if !errors.Is(err, context.Canceled) || ran.Load() > 20 {
		t.Errorf("error %v after %d trials, want to stop soon after 10", err, ran.Load())
	}
	var done, most int
	o := experiment.Options{Factors: factors(2), Progress: func(d, m int) {
		if d != done+1 {
			t.Errorf("progress from %d to %d", done, d)
		}
		done, most = d, m
	}}
	r := run(t, o, by(when(1, 0, 3)))
	if done != most || done != r.Trials {
		t.Errorf("progress ended at %d of %d, and %d trials ran", done, most, r.Trials)
	}
}

func TestAFailedTrialIsNamed(t *testing.T) {
	trial := func(_ context.Context, a experiment.Arm, seed uint64) (experiment.Outcome, error) {
		if a == 3 && seed == 104 {
			return experiment.Outcome{}, errors.New("no such service")
		}
		return experiment.Outcome{}, nil
	}
	_, err := experiment.Run(t.Context(), experiment.Options{Factors: []string{"backup", "flush"}, Seed: 100}, trial)
	if err == nil || err.Error() != "run arm backup and flush, seed 104: no such service" {
		t.Errorf("error is %v", err)
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, o := range map[string]experiment.Options{
		"no factors":     {},
		"a factor twice": {Factors: []string{"a", "a"}},
		"too many":       {Factors: factors(65)},
		"most below":     {Factors: factors(2), Min: 30, Max: 20},
		"half width":     {Factors: factors(2), HalfWidth: 0.7},
		"not a number":   {Factors: factors(2), HalfWidth: math.NaN()},
		"harmless":       {Factors: factors(2), Harmless: 0.6},
		"q":              {Factors: factors(2), Q: 1.5},
	} {
		if _, err := experiment.Run(t.Context(), o, by(when(1, 0, 3))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMeasuresAreEstimatedInEveryCell(t *testing.T) {
	trial := func(_ context.Context, a experiment.Arm, seed uint64) (experiment.Outcome, error) {
		// A pair of states that each cost a second, and three more together.
		v := float64(a.Size()) + 3*float64(a.Size()/2) + 0.1*float64(seed%5)
		return experiment.Outcome{Values: []float64{v}}, nil
	}
	r := run(t, experiment.Options{Factors: factors(2), Measures: []string{"ttr"}}, trial)
	for _, c := range r.Cells {
		m := c.Measures[0]
		want := float64(len(c.On)) + 3*float64(len(c.On)/2) + 0.2
		if math.Abs(m.Mean-want) > 1e-9 || m.Low > want || m.High < want || m.Median > m.P99 || m.P99 > m.Max {
			t.Errorf("%v: %+v, want a mean of %g", c.On, m, want)
		}
	}
	last := r.Contrasts[len(r.Contrasts)-1]
	if last.Response != "ttr" || math.Abs(last.Effect-1.5) > 1e-9 || !last.Significant {
		t.Errorf("effect of both on ttr: %+v, want half of the three seconds", last)
	}
}
