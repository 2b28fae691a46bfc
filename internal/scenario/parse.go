package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"example.test/eddy/internal/sim"
)

// A document is a file as it is written. Its fields are the keys, and so are
// those of the simulator's types in it.
type document struct {
	Version     string
	Name        string
	Description string
	Seed        uint64
	Horizon     time.Duration
	Warmup      time.Duration
	Topology    topology
	Workload    []workloadEntry
	Policies    map[string]sim.Policy
	Rules       []sim.Rule
	Conditions  []conditionEntry
	SLO         objective
	Telemetry   sim.Telemetry
	Uncertain   []Uncertain
	Experiment  *questionEntry
	Asserts     []assertEntry
	Truth       truthEntry
}

type topology struct {
	Services      []sim.Service
	Caches        []sim.Cache
	Stores        []sim.Store
	Streams       []sim.Stream
	Quotas        []sim.Quota
	Leases        []sim.Lease
	Pipelines     []sim.Pipeline
	Issuers       []sim.Issuer
	Distributions []sim.Distribution
	Links         []sim.Link
}

// A workloadEntry is a workload with its kind, which its other fields say too.
type workloadEntry struct {
	sim.Workload

	Kind string
}

// A conditionEntry is a condition, whose windows may be written in three ways.
type conditionEntry struct {
	sim.Condition

	Window *sim.Window
	// Schedule are the times at which something happens that takes no time.
	Schedule []time.Duration
}

// An objective is the SLO.
type objective struct {
	SLI    string
	Target float64
	Window time.Duration
}

type truthEntry struct {
	Pattern      words
	Trigger      string
	Sustaining   words
	MinimalPairs [][]string
	MinimalSets  [][]string
	SeenAs       map[string]string
	Defences     words
}

// Parse reads a scenario. The error is Problems, each with file, line and field.
func Parse(file string, text []byte) (*Scenario, error) {
	d := &decoder{file: file, lines: make(map[string]int)}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, Problems{syntax(file, err)}
	}
	var doc document
	found := false
	for _, part := range tree.Docs {
		if part.Body == nil || part.Body.Type() == ast.NullType || part.Body.Type() == ast.CommentType {
			continue
		}
		if found {
			d.wrong(part.Body, "", "a second document: want one")
			break
		}
		found = true
		d.fill(reflect.ValueOf(&doc).Elem(), part.Body, "")
	}
	if !found {
		return nil, Problems{{File: file, Text: "no scenario in it: want \"version: " + Version + "\" and what follows"}}
	}
	if len(d.problems) > 0 {
		return nil, d.problems // what is missing would only follow from these
	}
	s := d.scenario(&doc)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		return nil, d.problems
	}
	return s, nil
}

// about is a problem of what stands at a field, or of the nearest around it; part
// is what sim.Model.Validate calls it, if it does.
func (d *decoder) about(part, at, format string, args ...any) {
	if len(d.problems) >= mostProblems {
		return
	}
	line := d.lines[part]
	for field := at; line == 0 && field != ""; {
		line = d.lines[field]
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	d.problems = append(d.problems, Problem{File: d.file, Line: line, At: at, Text: fmt.Sprintf(format, args...)})
}

// scenario makes the scenario of a document, and checks it as a whole.
func (d *decoder) scenario(doc *document) *Scenario {
	if doc.Version != Version {
		d.about("", "version", "%q: want %s", doc.Version, Version)
	}
	if doc.Name == "" {
		d.about("", "name", "missing: name the scenario, as in \"name: retry-storm\"")
	}
	s := &Scenario{File: d.file, Description: strings.TrimSpace(doc.Description), Seed: doc.Seed, Uncertain: doc.Uncertain}
	s.Model = sim.Model{
		Name: doc.Name, Horizon: doc.Horizon, Warmup: doc.Warmup,
		Services: doc.Topology.Services, Caches: doc.Topology.Caches, Stores: doc.Topology.Stores, Streams: doc.Topology.Streams,
		Quotas: doc.Topology.Quotas, Leases: doc.Topology.Leases, Pipelines: doc.Topology.Pipelines,
		Issuers: doc.Topology.Issuers, Distributions: doc.Topology.Distributions, Links: doc.Topology.Links,
		Rules: doc.Rules, Telemetry: doc.Telemetry, SLO: d.objective(doc.SLO),
	}
	for _, w := range doc.Workload {
		kind := "open"
		switch {
		case w.Closed > 0:
			kind = "closed"
		case w.Workload.Schedule.Every > 0:
			kind = "jobs"
		}
		if w.Kind != "" && w.Kind != kind {
			d.about("workload "+w.ID, "workload "+w.ID+".kind", "%q: want %s, as the rest of it says (\"closed\" is how many users wait for their answers, \"schedule\" when jobs come)", w.Kind, kind)
		}
		s.Model.Workloads = append(s.Model.Workloads, w.Workload)
	}
	for _, edge := range slices.Sorted(maps.Keys(doc.Policies)) {
		p := doc.Policies[edge]
		from, to, ok := strings.Cut(edge, "->")
		if !ok {
			d.about("policy "+edge, "policies."+edge, "want an edge as \"from->to\"")
			continue
		}
		p.From, p.To = strings.TrimSpace(from), strings.TrimSpace(to)
		d.lines["policy "+p.From+"->"+p.To] = d.lines["policy "+edge]
		s.Model.Policies = append(s.Model.Policies, p)
	}
	for _, c := range doc.Conditions {
		s.Model.Conditions = append(s.Model.Conditions, c.condition())
	}
	d.valid(&s.Model)
	d.uncertain(s)
	s.Truth = doc.Truth.truth()
	d.truth(s)
	if doc.Experiment != nil {
		s.Question = d.question(s, doc.Experiment)
	}
	d.asserts(s, doc)
	return s
}

// condition gathers the windows, however they are written.
func (c conditionEntry) condition() sim.Condition {
	out := c.Condition
	if c.Window != nil {
		out.Windows = append(out.Windows, *c.Window)
	}
	for _, at := range c.Schedule {
		out.Windows = append(out.Windows, sim.Window{From: at, To: at})
	}
	return out
}

// objective reads "success" or "success_under(1s)".
func (d *decoder) objective(o objective) sim.SLO {
	out := sim.SLO{Target: o.Target}
	if o.Target < 0 || o.Target >= 1 {
		d.about("", "slo.target", "%g: want a share below 1, such as 0.999", o.Target)
	}
	if inner, ok := strings.CutPrefix(o.SLI, "success_under("); ok {
		under, err := time.ParseDuration(strings.TrimSuffix(inner, ")"))
		if err != nil || !strings.HasSuffix(inner, ")") || under <= 0 {
			d.about("", "slo.sli", "%q: want success_under(1s)", o.SLI)
		}
		out.Under = under
	} else if o.SLI != "" && o.SLI != "success" {
		d.about("", "slo.sli", "%q: want success, or success_under(1s)", o.SLI)
	}
	return out
}

// valid asks the simulator what it makes of the model, and finds the lines of
// what it complains about.
func (d *decoder) valid(m *sim.Model) {
	err := m.Validate()
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		where, text, ok := strings.Cut(e.Error(), ": ")
		if !ok {
			where, text = "", e.Error()
		}
		d.about(where, where, "%s", text)
	}
}

func (t truthEntry) truth() Truth {
	return Truth{
		Patterns: t.Pattern, Trigger: t.Trigger, Sustaining: t.Sustaining,
		Sets: slices.Concat(t.MinimalPairs, t.MinimalSets), SeenAs: t.SeenAs, Defences: t.Defences,
	}
}

// truth checks that what was planted exists.
func (d *decoder) truth(s *Scenario) {
	if t := s.Truth.Trigger; t != "" && s.condition(t) == nil {
		d.about("", "truth.trigger", "no condition %q: want one of %s", t, list(s.ids()))
	}
	for id, seen := range s.Truth.SeenAs {
		if s.condition(id) == nil || !strings.Contains(seen, "=") {
			d.about("", "truth.seen_as", "%s: %q: want a condition of the file, and what telemetry has, as \"tenant=acme\"", id, seen)
		}
	}
	for _, id := range s.Truth.Defences {
		if c := s.condition(id); c == nil || c.Default {
			d.about("", "truth.defences", "%q: want a condition that is off by default, some of %s", id, list(s.ids()))
		}
	}
	for _, set := range s.Truth.Sets {
		for _, id := range set {
			if s.condition(id) == nil {
				d.about("", "truth.minimal_sets", "no condition %q: want one of %s", id, list(s.ids()))
			}
		}
	}
}
