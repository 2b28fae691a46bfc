package scenario

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"example.test/eddy/internal/experiment"
)

// A Swing is how much one number that is not known moves a response: what the
// response is, with the conditions of interest on, at the low and at the high end
// of its range, all others in the middle of theirs.
type Swing struct {
	Target   string `json:"target"`
	Param    string `json:"param"`
	Low      int    `json:"low"`
	High     int    `json:"high"`
	Response string `json:"response"`
	// AtLow and AtHigh are the mean response, over N seeds.
	AtLow  float64 `json:"at_low"`
	AtHigh float64 `json:"at_high"`
	N      int     `json:"n"`
	// Difference is AtHigh less AtLow, with its 95 % interval by seed (paired t).
	Difference experiment.Estimate `json:"difference"`
}

// swingSeeds is how many seeds each end of a range is run under.
const swingSeeds = 10

// Tornado returns the swings of all uncertain numbers, the largest first: the
// first ones are worth finding out.
func (s *Scenario) Tornado(ctx context.Context, on map[string]bool, response string, workers int) ([]Swing, error) {
	k := len(s.Uncertain)
	values := make([][2][swingSeeds]float64, k)
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(max(workers, 1))
	for i := range k {
		for end := range 2 {
			shares := slices.Repeat([]float64{0.5}, k)
			shares[i] = float64(end)
			at, err := s.At(shares)
			if err != nil {
				return nil, err
			}
			for seed := range swingSeeds {
				group.Go(func() error {
					r, err := at.Run(running, s.Seed+uint64(seed), on)
					if err == nil {
						values[i][end][seed] = s.value(response, r)
					}
					return err
				})
			}
		}
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("tornado: %w", err)
	}
	var out []Swing
	for i, u := range s.Uncertain {
		w := Swing{Target: u.Target, Param: u.Param, Low: u.Low, High: u.High, Response: response, N: swingSeeds}
		var differences []float64
		for seed := range swingSeeds {
			low, high := values[i][0][seed], values[i][1][seed]
			w.AtLow += low / swingSeeds
			w.AtHigh += high / swingSeeds
			differences = append(differences, high-low)
		}
		w.Difference = experiment.Mean(differences)
		out = append(out, w)
	}
	slices.SortStableFunc(out, func(a, b Swing) int {
		return cmp.Compare(math.Abs(b.Difference.Value), math.Abs(a.Difference.Value))
	})
	return out, nil
}

// String writes a swing: "pay servers, 6 to 18: failed_share 0.92 to 0.03".
func (w Swing) String() string {
	return fmt.Sprintf("%s %s, %d to %d: %s %s to %s, difference %s (%s to %s), %d seeds", w.Target, w.Param, w.Low, w.High, w.Response,
		number(w.AtLow), number(w.AtHigh), number(w.Difference.Value), number(w.Difference.Low), number(w.Difference.High), w.N)
}

// effects writes, for each response, which factor moves it most: what there is
// more of it with the factor on than off, averaged over the other factors. And
// how much it gained that arms share their seeds.
func effects(w io.Writer, r experiment.Result) {
	var responses []string
	for _, c := range r.Contrasts {
		if !slices.Contains(responses, c.Response) {
			responses = append(responses, c.Response)
		}
	}
	if len(responses) > 0 {
		fmt.Fprintln(w)
	}
	for _, name := range responses {
		var own []experiment.Contrast
		for _, c := range r.Contrasts {
			if c.Response == name && len(c.Factors) == 1 {
				own = append(own, c)
			}
		}
		slices.SortStableFunc(own, func(a, b experiment.Contrast) int { return cmp.Compare(math.Abs(b.Effect), math.Abs(a.Effect)) })
		text := "what moves " + name + " most:"
		for i, c := range own {
			if i > 0 {
				text += ";"
			}
			text += fmt.Sprintf(" %s %s (%s to %s)", c.Factors[0], signed(c.Effect), signed(c.Low), signed(c.High))
		}
		fmt.Fprintln(w, text)
		if ratio, n := r.Sharing(name); n > 0 {
			text = fmt.Sprintf("  common random numbers: the variance of its contrasts is %.2f times as high without (%d contrasts)", ratio, n)
			if ratio < costly {
				text += "; give each arm seeds of its own (--apart)"
			}
			fmt.Fprintln(w, text)
		}
	}
}

// costly is the ratio below which sharing seeds is worse than not, beyond what
// chance does to the ratio at forty seeds.
const costly = 0.8

// signed writes a difference with three digits.
func signed(v float64) string {
	if v > 0 {
		return "+" + number(v)
	}
	if v < 0 {
		return "-" + number(-v)
	}
	return "0"
}
