package scenario

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/incident"
)

// A Reproduction is a finding made again.
type Reproduction struct {
	// System is the name of the scenario, or of the live system.
	System string          `json:"system"`
	Live   bool            `json:"live,omitempty"`
	Status incident.Status `json:"status"`
	// Factors are the conditions of the scenario that stand for those of the
	// finding, in their order.
	Factors []string `json:"factors"`
	// Points are the experiments, one for each place in the ranges of what is not
	// known; one if all is known.
	Points []Point `json:"points"`
	// Tornado says what moves the harm most of what is not known, with all factors
	// on.
	Tornado []Swing `json:"tornado,omitempty"`
}

// A Point is one experiment.
type Point struct {
	// Values are the uncertain numbers, as "pay servers".
	Values map[string]int    `json:"values,omitempty"`
	Result experiment.Result `json:"result"`
	Status incident.Status   `json:"status"`
}

// Factors returns the conditions of the scenario that show in telemetry as those
// of a finding do. The error says which have no counterpart.
func (s *Scenario) Factors(of []condition.Condition) ([]string, error) {
	run, err := s.start(s.Seed, nil, nil)
	if err != nil {
		return nil, err
	}
	shows := s.shows(run)
	var out, shown []string
	var missing []condition.Condition
	for _, c := range of {
		id := slices.IndexFunc(s.ids(), func(id string) bool { return shows[id] == c.Name() })
		if id < 0 {
			missing = append(missing, c)
			continue
		}
		out = append(out, s.ids()[id])
	}
	if len(missing) == 0 {
		return out, nil
	}
	for _, id := range s.ids() {
		if shows[id] != "" {
			shown = append(shown, fmt.Sprintf("%s (%s)", shows[id], id))
		}
	}
	return nil, s.lacking(missing, shown)
}

// Reproduce asks whether the conditions of a finding, and no fewer, do the harm
// of the scenario: each on and off, all others by default, at up to points
// places in the ranges of what is not known. Harm is that of the file's own
// experiment, or one request in twenty that fails or is slow.
func (s *Scenario) Reproduce(ctx context.Context, of []condition.Condition, points int, change func(*experiment.Options)) (Reproduction, error) {
	factors, err := s.Factors(of)
	if err != nil {
		return Reproduction{}, err
	}
	asked := *s
	harm := Harm{Response: "failed_share", AtLeast: 0.05}
	if s.Question != nil {
		harm = s.Question.Harm
	}
	asked.Question = &Question{Harm: harm, Options: experiment.Options{Factors: factors, Harm: harm.String(), Seed: s.Seed}}
	asked.Asserts = nil
	out := Reproduction{System: s.Model.Name, Factors: factors, Points: []Point{}}
	for _, shares := range s.Corners(points, rand.New(rand.NewPCG(s.Seed, 1))) {
		at, err := asked.At(shares)
		if err != nil {
			return Reproduction{}, err
		}
		study, err := at.Experiment(ctx, change)
		if err != nil {
			return Reproduction{}, err
		}
		p := Point{Result: study.Result, Status: StatusOf(&study.Result, factors)}
		if len(s.Uncertain) > 0 {
			p.Values = at.uncertainValues()
		}
		out.Points = append(out.Points, p)
	}
	out.Status = out.Points[0].Status
	if slices.ContainsFunc(out.Points, func(p Point) bool { return p.Status != out.Status }) {
		out.Status = incident.Unsettled
	}
	on := make(map[string]bool, len(factors))
	for _, f := range factors {
		on[f] = true
	}
	o := experiment.Options{}
	if change != nil {
		change(&o)
	}
	out.Tornado, err = s.Tornado(ctx, on, harm.Response, o.Workers)
	return out, err
}

// StatusOf says whether exactly the factors were shown to do the harm.
func StatusOf(r *experiment.Result, factors []string) incident.Status {
	switch {
	case same(found(r), [][]string{factors}):
		return incident.Confirmed
	case r.Verdict == experiment.Undecided || slices.ContainsFunc(r.Sets, func(s experiment.Set) bool { return s.Verdict == experiment.Undecided }):
		return incident.Unsettled
	}
	return incident.Refuted
}

// Experiment is what an incident keeps of it, of the conditions that it was
// asked about.
func (r Reproduction) Experiment(of []condition.Condition) incident.Experiment {
	e := incident.Experiment{Status: r.Status, Conditions: of, System: r.System, Live: r.Live}
	for _, p := range r.Points {
		e.Harm = p.Result.Harm
		place := incident.Place{Values: p.Values, Status: p.Status, Verdict: string(p.Result.Verdict), Seeds: p.Result.Seeds}
		for _, c := range p.Result.Cells {
			arm := incident.Arm{Holds: []string{}, Harmed: c.Harmed, N: c.N, Risk: c.Risk, Low: c.Low, High: c.High}
			for i, f := range r.Factors {
				if slices.Contains(c.On, f) {
					arm.Holds = append(arm.Holds, of[i].String())
				}
			}
			place.Arms = append(place.Arms, arm)
		}
		e.Places = append(e.Places, place)
	}
	return e
}

// uncertainValues are the uncertain numbers as they are in the model.
func (s *Scenario) uncertainValues() map[string]int {
	out := make(map[string]int)
	for _, u := range s.Uncertain {
		if number := u.of(&s.Model); number != nil {
			out[u.Target+" "+u.Param] = *number
		}
	}
	return out
}

// String writes the values of a point: "pay servers=6, shop servers=8".
func (p Point) String() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(p.Values)) {
		parts = append(parts, fmt.Sprintf("%s=%d", k, p.Values[k]))
	}
	return strings.Join(parts, ", ")
}
