package scenario

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/experiment"
)

// An Assert is what must hold in all arms of an experiment that it is about.
type Assert struct {
	// When says which arms: those with these factors on, or off. Others may be
	// either.
	When map[string]bool
	// Expr is as in the file: comparisons joined by "&&".
	Expr string

	comparisons []comparison
}

// A comparison is "p(collapse) >= 0.95".
type comparison struct {
	function string
	args     []string
	operator string
	value    float64
}

type assertEntry struct {
	When map[string]bool
	Expr string
}

// asserts reads what must hold.
func (d *decoder) asserts(s *Scenario, doc *document) {
	for i, e := range doc.Asserts {
		at := fmt.Sprintf("asserts[%d]", i)
		if s.Question == nil {
			d.about("", at, "there is no experiment whose arms it could be about: add one, with factors")
			return
		}
		for id := range e.When {
			if !slices.Contains(s.Question.Options.Factors, id) {
				d.about("", at+".when", "%q is no factor: want some of %s", id, list(s.Question.Options.Factors))
			}
		}
		a := Assert{When: e.When, Expr: e.Expr}
		for part := range strings.SplitSeq(e.Expr, "&&") {
			c, err := parseComparison(strings.TrimSpace(part))
			if err == nil {
				err = s.Question.offers(c)
			}
			if err != nil {
				d.about("", at+".expr", "%v", err)
				continue
			}
			a.comparisons = append(a.comparisons, c)
		}
		s.Asserts = append(s.Asserts, a)
	}
}

// parseComparison reads one; a value may be a number, a share as 5%, or a
// duration, which counts in seconds.
func parseComparison(text string) (comparison, error) {
	form := regexp.MustCompile(`^([a-z0-9]+)\(\s*([^()]*?)\s*\)\s*(<=|>=|<|>)\s*(\S+)$`)
	m := form.FindStringSubmatch(text)
	if m == nil {
		return comparison{}, fmt.Errorf("%q: want a comparison such as \"p(collapse) >= 0.95\" or \"median(ttr) <= 5s\", joined by && if there are several", text)
	}
	c := comparison{function: m[1], operator: m[3]}
	for arg := range strings.SplitSeq(m[2], ",") {
		c.args = append(c.args, strings.TrimSpace(arg))
	}
	number, scale := m[4], 1.0
	if share, ok := strings.CutSuffix(number, "%"); ok {
		number, scale = share, 0.01
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		took, err := time.ParseDuration(number)
		if err != nil {
			return comparison{}, fmt.Errorf("%q: want a number, a share such as 5%%, or a duration such as 5s", number)
		}
		v = took.Seconds()
	}
	c.value = v * scale
	return c, nil
}

// offers says why a comparison cannot be made.
func (q *Question) offers(c comparison) error {
	switch c.function {
	case "p":
		if len(c.args) != 1 || c.args[0] != q.Harm.Response {
			return fmt.Errorf("p(%s): want p(%s), the harm of this experiment", strings.Join(c.args, ", "), q.Harm.Response)
		}
	case "mean", "median", "p99", "max":
		if len(c.args) != 1 || !slices.Contains(q.Options.Measures, c.args[0]) {
			return fmt.Errorf("%s(%s): want one of the responses %s", c.function, strings.Join(c.args, ", "), list(q.Options.Measures))
		}
	case "kappa":
		for _, a := range c.args {
			if !slices.Contains(q.Options.Factors, a) {
				return fmt.Errorf("kappa(%s): %q is no factor: want two or more of %s", strings.Join(c.args, ", "), a, list(q.Options.Factors))
			}
		}
		if len(c.args) < 2 {
			return fmt.Errorf("kappa(%s): want two or more of %s", strings.Join(c.args, ", "), list(q.Options.Factors))
		}
	default:
		return fmt.Errorf("no function %q: want p, mean, median, p99, max or kappa", c.function)
	}
	return nil
}

// A Checked is an assert with what came of it.
type Checked struct {
	When   map[string]bool `json:"when"`
	Expr   string          `json:"expr"`
	Passed bool            `json:"passed"`
	// Arms is how many it was about, Failed says of the others what came.
	Arms   int      `json:"arms"`
	Failed []string `json:"failed"`
}

// check evaluates an assert over the arms of a result.
func (a Assert) check(r *experiment.Result) Checked {
	out := Checked{When: a.When, Expr: a.Expr, Failed: []string{}}
	for _, cell := range r.Cells {
		if !a.about(cell) {
			continue
		}
		out.Arms++
		for _, c := range a.comparisons {
			if got := c.of(r, cell); !c.holds(got) {
				out.Failed = append(out.Failed, fmt.Sprintf("with %s: %s(%s) is %s",
					orNone(cell.On), c.function, strings.Join(c.args, ", "), strconv.FormatFloat(got, 'g', 4, 64)))
			}
		}
	}
	if out.Arms == 0 {
		out.Failed = append(out.Failed, "no arm of the experiment is like this: the screen left it out")
	}
	out.Passed = len(out.Failed) == 0
	return out
}

func orNone(on []string) string {
	if len(on) == 0 {
		return "none on"
	}
	return strings.Join(on, ", ")
}

func (a Assert) about(cell experiment.Cell) bool {
	for id, want := range a.When {
		if slices.Contains(cell.On, id) != want {
			return false
		}
	}
	return true
}

// of returns the left side of a comparison in a cell.
func (c comparison) of(r *experiment.Result, cell experiment.Cell) float64 {
	switch c.function {
	case "p":
		return cell.Risk
	case "kappa":
		return r.Kappa(c.args, cell.On)
	}
	for _, m := range cell.Measures {
		if m.Name == c.args[0] {
			switch c.function {
			case "mean":
				return m.Mean
			case "median":
				return m.Median
			case "p99":
				return m.P99
			case "max":
				return m.Max
			}
		}
	}
	return math.NaN()
}

// holds reports whether got fits; what is not defined does not.
func (c comparison) holds(got float64) bool {
	switch c.operator {
	case "<=":
		return got <= c.value
	case ">=":
		return got >= c.value
	case "<":
		return got < c.value
	}
	return got > c.value
}
