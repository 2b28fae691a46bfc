// Package scenario reads files that describe a system, its load and its
// conditions, and carries them out: one run to look at, or the experiment that
// the file asks for.
//
// Parse turns a file into a Scenario, or says all that is wrong with it, line by
// line. A Scenario holds a sim.Model, so what a file can describe is what the
// simulator can do: the fields of its types are the keys of the file. Schema
// gives the same as a JSON schema, made from the same types.
//
// Run carries out one run, Experiment the factorial one with the responses,
// asserts and truth of the file. Both give the same for the same scenario and
// seed, and a Scenario is not changed by them, so any number may go on at the
// same time.
package scenario

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/sim"
)

// Version is the only version of the format so far.
const Version = "eddy.sim/v1"

// A Scenario is a file, read.
type Scenario struct {
	// File is where it came from, for messages.
	File        string
	Description string
	Seed        uint64
	Model       sim.Model
	// Uncertain are numbers of the model that are not known, with their ranges.
	Uncertain []Uncertain
	Question  *Question // nil if the file asks for no experiment
	Asserts   []Assert
	Truth     Truth
}

// Truth is what the author of a scenario planted. No run looks at it.
type Truth struct {
	// Patterns are the names of known shapes of incident.
	Patterns []string `json:"patterns,omitempty"`
	// Trigger is the condition that starts it, Sustaining what keeps it going.
	Trigger    string   `json:"trigger,omitempty"`
	Sustaining []string `json:"sustaining,omitempty"`
	// Sets are the smallest sets of conditions that do the harm; none if the
	// scenario is healthy.
	Sets [][]string `json:"minimal_sets"`
	// SeenAs says how a condition that no change event tells of shows in
	// telemetry, as "tenant=acme".
	SeenAs map[string]string `json:"seen_as,omitempty"`
	// Defences are conditions that are off by default and meant to prevent the harm.
	Defences []string `json:"defences,omitempty"`
}

// Load reads a file.
func Load(path string) (*Scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	return Parse(path, text)
}

// Settings says which conditions a run has on: those named in on as it says, the
// others by their default.
func (s *Scenario) Settings(on map[string]bool) map[string]bool {
	out := make(map[string]bool, len(s.Model.Conditions))
	for _, c := range s.Model.Conditions {
		out[c.ID] = c.Default
	}
	maps.Copy(out, on)
	return out
}

// Run carries out one run under a seed, with conditions on as Settings has it.
// Each interval of the result is a 360th of the horizon, and at least a second.
func (s *Scenario) Run(ctx context.Context, seed uint64, on map[string]bool) (*sim.Result, error) {
	run, err := s.start(seed, on, nil)
	if err != nil {
		return nil, err
	}
	return run.Run(ctx)
}

// Record carries out one run, and writes its telemetry as the Collector's file
// exporter would. It returns how each condition shows in that, as "entity
// dimension", or "" if it does not.
func (s *Scenario) Record(ctx context.Context, seed uint64, on map[string]bool, w io.Writer) (map[string]string, error) {
	run, err := s.start(seed, on, sim.NewFileSink(w))
	if err != nil {
		return nil, err
	}
	if _, err := run.Run(ctx); err != nil {
		return nil, err
	}
	return s.shows(run), nil
}

// shows says how each condition shows in telemetry.
func (s *Scenario) shows(run *sim.Sim) map[string]string {
	out := make(map[string]string)
	for _, id := range s.ids() {
		out[id] = ""
		if seen, _, ok := strings.Cut(s.Truth.SeenAs[id], "="); ok {
			out[id] = seen
		} else if c, ok := run.Told(id); ok {
			out[id] = condition.Condition{Entity: c.Entity, Dimension: c.Dimension}.Name()
		}
	}
	return out
}

// start makes a run ready.
func (s *Scenario) start(seed uint64, on map[string]bool, sink sim.Sink) (*sim.Sim, error) {
	return s.begin(seed, sim.Settings{On: s.Settings(on), Interval: s.interval(), Sink: sink})
}

// begin makes a run with any settings ready.
func (s *Scenario) begin(seed uint64, settings sim.Settings) (*sim.Sim, error) {
	if err := s.known(slices.Sorted(maps.Keys(settings.On))); err != nil {
		return nil, err
	}
	run, err := sim.New(&s.Model, seed, settings)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.File, err)
	}
	return run, nil
}

func (s *Scenario) interval() time.Duration {
	return max(time.Second, (s.Model.Horizon / 360).Round(time.Second))
}

// known says which of the names is no condition.
func (s *Scenario) known(names []string) error {
	for _, name := range names {
		if s.condition(name) == nil {
			return fmt.Errorf("scenario %s has no condition %q: it has %s", s.File, name, list(s.ids()))
		}
	}
	return nil
}

// condition returns the condition of that name, or nil.
func (s *Scenario) condition(id string) *sim.Condition {
	for i := range s.Model.Conditions {
		if s.Model.Conditions[i].ID == id {
			return &s.Model.Conditions[i]
		}
	}
	return nil
}

func (s *Scenario) ids() []string {
	var out []string
	for _, c := range s.Model.Conditions {
		out = append(out, c.ID)
	}
	return out
}
