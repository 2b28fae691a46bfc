package sim

import "math"

// A Size is how many items the requests of a workload are about: log-normal. The
// zero Size is one.
type Size struct {
	Mean float64
	CV   float64 // standard deviation over mean
}

// A Growth makes the work of a service grow with the items of a request: with n
// of them it is (n/Typical)^Exponent times its service time. In pages the work is
// that of a page for each page. The zero Growth is work that does not depend on n.
type Growth struct {
	Exponent float64
	Typical  float64 // items whose work is the service time: 1
	Page     int     // items that are worked on at once; 0: all
}

func (v *validation) size(where string, s Size) {
	v.atLeast0(where, "size", s.Mean, s.CV)
	if s.CV > 0 && s.Mean == 0 {
		v.wrong(where, "size with a cv of %v and no mean: want a mean above 0", s.CV)
	}
}

// set gives a parameter a value, if it is one of a growth.
func (g *Growth) set(param string, v any) (known bool, err error) {
	switch param {
	case "growth.exponent":
		return true, asNumber(param, v, &g.Exponent)
	case "growth.page":
		return true, asInt(param, v, &g.Page)
	}
	return false, nil
}

// growthParams are the parameters of a Growth, for messages.
const growthParams = "growth.exponent, growth.page"

// items is how many a request is about.
func (w *workload) items(q *request) float64 {
	z := &w.spec.Size
	if z.Mean == 0 {
		return 1
	}
	if z.CV == 0 {
		return z.Mean
	}
	v := math.Log1p(z.CV * z.CV)
	return math.Exp(math.Log(z.Mean) - v/2 + math.Sqrt(v)*normalOf(draw(q.key, forSize, 0, 0)))
}

// factor is by how much work of n items is more than the service time.
func (g *Growth) factor(n float64) float64 {
	typical := g.Typical
	if typical == 0 {
		typical = 1
	}
	if page := float64(g.Page); g.Page > 0 && n > page {
		whole := math.Floor(n / page)
		return whole*math.Pow(page/typical, g.Exponent) + math.Pow((n-whole*page)/typical, g.Exponent)
	}
	return math.Pow(n/typical, g.Exponent)
}
