package scenario

import (
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"example.test/eddy/internal/sim"
)

// fillShort fills what a file may write shorter than its Go type has it, or
// otherwise; false if v or n is nothing of that kind.
func (d *decoder) fillShort(v reflect.Value, n ast.Node, at string) bool {
	_, isMap := n.(ast.MapNode)
	switch to := v.Addr().Interface().(type) {
	case *sim.Dist:
		return d.dist(to, n, at)
	case *sim.Rate:
		if isMap {
			return false
		}
		d.fill(reflect.ValueOf(&to.Const).Elem(), n, at)
	case *sim.Keys:
		var k keysEntry
		d.fill(reflect.ValueOf(&k).Elem(), n, at)
		*to = sim.Keys{N: k.N, Zipf: max(k.Zipf, k.S), Hot: k.Hot}
		if k.Dist != "" && k.Dist != "zipf" {
			d.wrong(n, join(at, "dist"), "%q: want zipf", k.Dist)
		}
	case *sim.Atom:
		text, ok := scalar(n)
		if ok {
			*to, ok = parseAtom(text)
		}
		if !ok {
			d.wrong(n, at, "want what a request may have met, as \"cart version=2.4.0\", \"tenant=acme\" or \"not condition=backup\"")
		}
	case *[]sim.Setting:
		*to = d.settings(n, at, "", nil)
	case *words:
		one, ok := scalar(n)
		if !ok {
			return false
		}
		*to = words{one}
	default:
		return false
	}
	return true
}

// keysEntry is sim.Keys, of which the exponent may be written as in
// "{dist: zipf, s: 1.01, n: 1000}".
type keysEntry struct {
	N       int
	Zipf, S float64
	Hot     float64
	Dist    string
}

// shortDist is a distribution of one parameter: "{const: 5s}", "{exp: 10ms}" or
// "{uniform: [1s, 2s]}".
type shortDist struct {
	Const, Exp *time.Duration
	Uniform    []time.Duration
}

// dist fills a distribution that is written short, as a duration that is always
// the same, or in one of the forms of shortDist.
func (d *decoder) dist(to *sim.Dist, n ast.Node, at string) bool {
	pairs, isMap := n.(ast.MapNode)
	if !isMap {
		to.Shape = sim.Constant
		d.fill(reflect.ValueOf(&to.Mean).Elem(), n, at)
		return true
	}
	if has(pairs, "dist") {
		return false
	}
	var short shortDist
	d.fill(reflect.ValueOf(&short).Elem(), n, at)
	switch {
	case short.Const != nil:
		*to = sim.ConstDist(*short.Const)
	case short.Exp != nil:
		*to = sim.ExpDist(*short.Exp)
	case len(short.Uniform) == 2:
		*to = sim.UniformDist(short.Uniform[0], short.Uniform[1])
	default:
		d.wrong(n, at, "want a duration, {dist: lognormal, mean: 5ms, cv: 0.5}, {exp: 5ms} or {uniform: [1s, 2s]}")
	}
	return true
}

// isDist reports whether a map is a distribution.
func isDist(n ast.MapNode) bool {
	return has(n, "dist") || has(n, "const") || has(n, "exp") || has(n, "uniform")
}

// parseAtom reads "[not] [entity] dimension=value".
func parseAtom(text string) (sim.Atom, bool) {
	rest, not := strings.CutPrefix(strings.TrimSpace(text), "not ")
	name, value, ok := strings.Cut(rest, "=")
	entity, dimension, both := strings.Cut(strings.TrimSpace(name), " ")
	if !both {
		entity, dimension = "", entity
	}
	a := sim.Atom{Entity: entity, Dimension: strings.TrimSpace(dimension), Value: strings.TrimSpace(value), Not: not}
	return a, ok && a.Dimension != "" && a.Value != ""
}
