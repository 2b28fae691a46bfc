package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"example.test/eddy/internal/sim"
)

// Format writes a scenario as a file that Parse reads as the same scenario.
// Asserts and truth are left out: who writes them knows more than Format.
func Format(s *Scenario) ([]byte, error) {
	text, err := yaml.Marshal(node(reflect.ValueOf(documentOf(s))))
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Model.Name, err)
	}
	return text, nil
}

// documentOf is the inverse of decoder.scenario.
func documentOf(s *Scenario) document {
	m := s.Model
	doc := document{
		Version: Version, Name: m.Name, Description: s.Description, Seed: s.Seed, Horizon: m.Horizon, Warmup: m.Warmup,
		Topology: topology{
			Services: m.Services, Caches: m.Caches, Stores: m.Stores, Streams: m.Streams, Quotas: m.Quotas, Leases: m.Leases, Pipelines: m.Pipelines, Issuers: m.Issuers, Distributions: m.Distributions, Links: m.Links,
		},
		Rules: m.Rules, Telemetry: m.Telemetry,
		SLO: objective{SLI: "success", Target: m.SLO.Target}, Uncertain: s.Uncertain, Policies: make(map[string]sim.Policy),
	}
	if m.SLO.Under > 0 {
		doc.SLO.SLI = "success_under(" + m.SLO.Under.String() + ")"
	}
	for _, w := range m.Workloads {
		doc.Workload = append(doc.Workload, workloadEntry{Workload: w})
	}
	for _, p := range m.Policies {
		doc.Policies[p.From+"->"+p.To] = p
	}
	for _, c := range m.Conditions {
		doc.Conditions = append(doc.Conditions, conditionEntry{Condition: c})
	}
	if q := s.Question; q != nil {
		e := &questionEntry{Harm: q.Harm.String(), Factors: q.Options.Factors, Responses: q.Options.Measures}
		e.Replications.Min, e.Replications.Max = q.Options.Min, q.Options.Max
		doc.Experiment = e
	}
	return doc
}

// node turns a value into what the YAML package writes: maps in the order of the
// fields, without those that are zero.
func node(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case sim.Dist:
		return distNode(x)
	case sim.Rate:
		if reflect.DeepEqual(x, sim.Rate{Const: x.Const}) {
			return x.Const
		}
	case sim.Atom:
		return atomText(x)
	case []sim.Setting:
		var out yaml.MapSlice
		for _, s := range x {
			out = append(out, yaml.MapItem{Key: s.Param, Value: node(reflect.ValueOf(s.Value))})
		}
		return out
	}
	switch v.Kind() {
	case reflect.Pointer:
		return node(v.Elem())
	case reflect.Struct:
		return structNode(v)
	case reflect.Slice:
		if times, ok := v.Interface().([]time.Duration); ok {
			return oneLine(times)
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = node(v.Index(i))
		}
		return out
	case reflect.Map:
		var out yaml.MapSlice
		for _, k := range sortedKeys(v) {
			out = append(out, yaml.MapItem{Key: k, Value: node(v.MapIndex(reflect.ValueOf(k)))})
		}
		return out
	case reflect.String:
		return v.String() // a named type of text is a text
	default:
		return v.Interface()
	}
}

// oneLine is a list that is written in one line.
type oneLine []time.Duration

// MarshalYAML writes it.
func (l oneLine) MarshalYAML() ([]byte, error) {
	parts := make([]string, len(l))
	for i, d := range l {
		parts[i] = d.String()
	}
	return []byte("[" + strings.Join(parts, ", ") + "]"), nil
}

func structNode(v reflect.Value) any {
	var out yaml.MapSlice
	for _, f := range reflect.VisibleFields(v.Type()) {
		key, field := keyOf(v.Type(), f), v.FieldByIndex(f.Index)
		if key == "" || field.IsZero() || field.Kind() == reflect.Map && field.Len() == 0 {
			continue
		}
		out = append(out, yaml.MapItem{Key: key, Value: node(field)})
	}
	return out
}

func distNode(d sim.Dist) any {
	switch {
	case reflect.DeepEqual(d, sim.ConstDist(d.Mean)):
		return yaml.MapSlice{{Key: "const", Value: d.Mean.String()}}
	case reflect.DeepEqual(d, sim.ExpDist(d.Mean)):
		return yaml.MapSlice{{Key: "exp", Value: d.Mean.String()}}
	}
	return structNode(reflect.ValueOf(d))
}

// atomText is the inverse of parseAtom.
func atomText(a sim.Atom) string {
	text := strings.TrimSpace(a.Entity + " " + a.Dimension + "=" + a.Value)
	if a.Not {
		text = "not " + text
	}
	return text
}

func sortedKeys(v reflect.Value) []string {
	var keys []string
	for _, k := range v.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}
