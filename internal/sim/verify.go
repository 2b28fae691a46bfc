package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A Figure is one number of the simulator beside what it should be.
type Figure struct {
	ID       string  `json:"id"` // of the check, such as "V1"
	What     string  `json:"what"`
	Unit     string  `json:"unit,omitempty"`
	Expected float64 `json:"expected"`
	Measured float64 `json:"measured"`
	// Low and High are the 95 % interval of the measurement, over N replications
	// with different seeds; both are Measured if it is exact.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	N    int     `json:"n"`
	// Rule says when it is right, and OK whether it is.
	Rule string `json:"rule"`
	OK   bool   `json:"ok"`
}

// A check measures the figures of one id.
type check struct {
	id  string
	run func(*verifier)
}

// checks are in the order of their ids.
func checks() []check {
	return []check{
		{"V1", verifyMM1},
		{"V2", verifyMMc},
		{"V3", verifyMD1},
		{"V4", verifyErlangB},
		{"V5", verifyLittle},
		{"V6", verifyLayers},
		{"V7", verifyEdge},
		{"V8", verifyRecovery},
		{"V9", verifyBudget},
		{"V10", verifyOpenClosed},
		{"V11", verifyOutage},
		{"V12", verifyMongo},
		{"V13", verifyStampede},
		{"V14", verifyThrottlers},
		{"V15", verifyPriority},
		{"V16", verifyTokens},
		{"V17", verifyOrder},
		{"V18", verifyClosed},
		{"V19", verifySameness},
		{"V20", verifySpeed},
	}
}

// Verify measures the simulator against closed forms, published experiments and
// its own promises, all with fixed seeds. Without ids it measures everything. It
// calls progress before each check. The error is about an unknown id, or ctx.
func Verify(ctx context.Context, progress func(id string, nth, of int), ids ...string) ([]Figure, error) {
	var wanted []check
	for _, c := range checks() {
		if len(ids) == 0 || slices.Contains(ids, c.id) {
			wanted = append(wanted, c)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(wanted, func(c check) bool { return c.id == id }) {
			return nil, fmt.Errorf("no check %q: want V1 to V20", id)
		}
	}
	v := &verifier{ctx: ctx}
	for i, c := range wanted {
		if progress != nil {
			progress(c.id, i+1, len(wanted))
		}
		v.id = c.id
		c.run(v)
		if v.err != nil {
			return nil, fmt.Errorf("%s: %w", c.id, v.err)
		}
	}
	return v.figures, nil
}

// A verifier collects figures.
type verifier struct {
	ctx     context.Context
	id      string
	figures []Figure
	err     error
}

// An estimate is a mean with its 95 % interval.
type estimate struct {
	mean, low, high float64
	n               int
}

func exactly(x float64) estimate { return estimate{x, x, x, 1} }

// within adds a figure that is right if it is off by no more than a share.
func (v *verifier) within(what, unit string, expected float64, got estimate, share float64) {
	ok := math.Abs(got.mean-expected) <= share*math.Abs(expected)
	v.add(what, unit, expected, got, fmt.Sprintf("within %.3g %%", 100*share), ok)
}

func (v *verifier) add(what, unit string, expected float64, got estimate, rule string, ok bool) {
	v.figures = append(v.figures, Figure{
		ID: v.id, What: what, Unit: unit, Expected: expected, Measured: got.mean, Low: got.low, High: got.high, N: got.n, Rule: rule, OK: ok,
	})
}

// replicate runs something for n seeds, as many at a time as there are cores. If
// one fails, the check ends.
func replicate[T any](v *verifier, n int, run func(seed uint64) (T, error)) []T {
	out := make([]T, n)
	if v.err != nil {
		return out
	}
	errs := make([]error, n)
	var next sync.Mutex
	seed := 0
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				next.Lock()
				i := seed
				seed++
				next.Unlock()
				if i >= n {
					return
				}
				out[i], errs[i] = run(uint64(i) + 1)
			}
		})
	}
	wg.Wait()
	v.err = errors.Join(errs...)
	return out
}

// runs replicates a model and returns a number of each run.
func (v *verifier) runs(n int, m *Model, of func(*Result) float64) []float64 {
	return replicate(v, n, func(seed uint64) (float64, error) {
		r, err := v.run(m, seed)
		if err != nil {
			return 0, err
		}
		return of(r), nil
	})
}

func (v *verifier) run(m *Model, seed uint64) (*Result, error) {
	s, err := New(m, seed, Settings{})
	if err != nil {
		return nil, err
	}
	return s.Run(v.ctx)
}

// meanOf is the mean of independent numbers with its interval by Student's t.
func meanOf(xs []float64) estimate {
	n := float64(len(xs))
	sum, squares := 0.0, 0.0
	for _, x := range xs {
		sum += x
	}
	mean := sum / n
	for _, x := range xs {
		squares += (x - mean) * (x - mean)
	}
	half := student(len(xs)-1) * math.Sqrt(squares/(n-1)/n)
	return estimate{mean, mean - half, mean + half, len(xs)}
}

// student is the 97.5 % quantile of Student's t (Abramowitz and Stegun 26.7.5),
// to three digits from 4 degrees of freedom on.
func student(df int) float64 {
	const z = 1.959964
	d := float64(df)
	return z + (z*z*z+z)/(4*d) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*d*d) +
		(3*math.Pow(z, 7)+19*math.Pow(z, 5)+17*z*z*z-15*z)/(384*d*d*d)
}

// shareOf is a share with Wilson's interval.
func shareOf(hits, n int) estimate {
	const z = 1.959964
	p, m := float64(hits)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return estimate{p, max(0, mid-half), min(1, mid+half), n}
}

// A sample is a number of one run, and what varies with it whose mean is known:
// how far the arrivals and the work were from what they should have been.
type sample struct {
	y, arrivals, work float64
}

// controlled is the mean of numbers from which what chance did to arrivals and
// work is taken out, by linear regression on both (control variates: Lavenberg
// and Welch, 1981).
func controlled(xs []sample) estimate {
	n := float64(len(xs))
	var my, ma, mw float64
	for _, x := range xs {
		my, ma, mw = my+x.y/n, ma+x.arrivals/n, mw+x.work/n
	}
	var aa, aw, ww, ya, yw float64
	for _, x := range xs {
		a, w, y := x.arrivals-ma, x.work-mw, x.y-my
		aa, aw, ww, ya, yw = aa+a*a, aw+a*w, ww+w*w, ya+y*a, yw+y*w
	}
	var ba, bw float64
	if det := aa*ww - aw*aw; ww > 1e-18 && det > 1e-9*aa*ww {
		ba, bw = (ya*ww-yw*aw)/det, (yw*aa-ya*aw)/det
	} else if aa > 0 { // the work does not vary
		ba = ya / aa
	}
	mean := my - ba*ma - bw*mw
	rest := 0.0
	for _, x := range xs {
		e := x.y - my - ba*(x.arrivals-ma) - bw*(x.work-mw)
		rest += e * e
	}
	df := len(xs) - 3
	half := student(df) * math.Sqrt(rest/float64(df)/n)
	return estimate{mean, mean - half, mean + half, len(xs)}
}

// oneService is a service under load from one workload.
func oneService(name string, rate float64, length time.Duration, s Service) *Model {
	s.ID = "s"
	return &Model{
		Name: name, Horizon: length, Services: []Service{s}, Workloads: []Workload{{ID: "u", Rate: Rate{Const: rate}, Entry: "s"}},
	}
}
