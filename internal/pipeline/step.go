package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// Config says how a window is analysed. A field that is zero means its
// default.
type Config struct {
	// Window is how much time is analysed together. Default 15 min.
	Window time.Duration `yaml:"window"`
	// MaxObservations bounds the observations that are kept of it. Default
	// 200,000.
	MaxObservations int `yaml:"max_observations"`
	// MaxSaved bounds the successes that a step saves; the ones beyond are
	// sampled, with weights. Default 20,000.
	MaxSaved int `yaml:"max_saved"`
	// MaxOrder is how many conditions a finding may have. Default 3.
	MaxOrder int `yaml:"max_order"`
	// Alpha is the share of windows without any cause in which a finding is
	// tolerated. Default 0.001: a server looks every few seconds, and a day of
	// looks must not add up to false alarms.
	Alpha float64 `yaml:"alpha"`
	// MiningTime bounds the search for an explanation of each outcome; a window
	// that takes longer is not analysed. Default 5 s. Negative means no bound,
	// for results that must not depend on the machine.
	MiningTime time.Duration `yaml:"mining_time"`

	// Objective is the share of requests that must not fail, against which the
	// budget of phases is counted; between 0 and 1. Default 0.999.
	Objective float64 `yaml:"objective"`

	// Request says how spans become requests, and when one is slow.
	Request request.Config `yaml:"request"`
	// Roles say of further attributes whether they are conditions.
	Roles []condition.RoleRule `yaml:"roles"`
	// Incident says when incidents open and close.
	Incident incident.Config `yaml:"incident"`
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	c.Window = cmp.Or(c.Window, 15*time.Minute)
	c.MaxObservations = cmp.Or(c.MaxObservations, 200_000)
	c.MaxSaved = cmp.Or(c.MaxSaved, 20_000)
	c.MaxOrder = cmp.Or(c.MaxOrder, 3)
	c.Alpha = cmp.Or(c.Alpha, 0.001)
	c.MiningTime = cmp.Or(c.MiningTime, 5*time.Second)
	c.Objective = cmp.Or(c.Objective, 0.999)
	return c
}

// Validate reports the first field that makes no sense.
func (c Config) Validate() error {
	c = c.withDefaults()
	if c.Window < time.Minute {
		return fmt.Errorf("window is %s: want a minute or more", c.Window)
	}
	if c.MaxObservations < 1000 || c.MaxSaved < 1 {
		return errors.New("max_observations and max_saved: want 1000 and 1 or more")
	}
	if c.Objective <= 0 || c.Objective >= 1 {
		return fmt.Errorf("objective is %v: want a share between 0 and 1", c.Objective)
	}
	return errors.Join(c.mining(request.Failed).Validate(), c.Request.Validate(), rolesOf(c.Roles), c.Incident.Validate())
}

// mining are the options of the engine to explain an outcome.
func (c Config) mining(outcome request.Outcome) interaction.Options {
	return interaction.Options{MaxOrder: c.MaxOrder, Alpha: c.Alpha, Seed: 1, Outcome: outcome}
}

// rolesOf checks rules.
func rolesOf(rules []condition.RoleRule) error {
	_, err := condition.NewRoles(rules...)
	return err
}

// A Pipeline holds what the analysis remembers between steps. Add, Step and
// Record may be called at the same time from several goroutines; two Steps may
// not.
type Pipeline struct {
	config Config
	store  Store
	log    *slog.Logger
	phases *conformance.Monitor    // safe by itself
	missed map[request.Outcome]int // analyses in a row that were given up
	mined  map[request.Outcome]*interaction.Window

	saving  sync.Mutex // guards what follows, and is held while it is saved
	tracker *incident.Tracker
	unsaved Result // what the store refused

	mu         sync.Mutex // guards what follows, which Add and Step share
	assembler  *request.Assembler
	dictionary *condition.Dictionary // safe by itself
	timeline   *condition.Timeline
	stamper    *condition.Stamper
	inferrer   *condition.Inferrer
	coverage   *condition.Coverage
	window     *window
	sightings  sightings
	graphs     []minute
	changes    []*telemetry.Change // of the window
	inferred   []*telemetry.Change // since the last step
	fresh      []condition.Observation
	known      map[request.ID]bool // of before a restart
	forgotten  time.Time           // when known is
	relieved   time.Time           // when requests were last completed between steps
	unanalysed uint64
	lost       uint64
}

// A minute is the graph of the requests that were completed in one.
type minute struct {
	start time.Time
	graph *graph.Graph
}

// explained are the outcomes that are mined.
func explained() []request.Outcome { return []request.Outcome{request.Failed, request.Slow} }

// maxChanges bounds the changes of a window that incidents are told of; the
// oldest go first. All of them stay in the store.
const maxChanges = 10_000

// Step runs every stage over the window that ends at now, in the order in
// which a reader meets them. The server calls it on a clock, and "eddy replay"
// on the clock of the past. An error says that the store refused; nothing is
// lost, the next Step that is saved returns what this one would have.
func (p *Pipeline) Step(ctx context.Context, now time.Time) (Result, error) {
	r := p.collect(now)
	kept := p.kept()
	for _, outcome := range explained() {
		if found, ok := p.mine(ctx, kept, outcome); ok {
			r.Findings[outcome] = found
		}
	}
	step := p.evidence(r, kept)
	step.Phases = p.phases.Findings(now)
	p.saving.Lock()
	defer p.saving.Unlock()
	r.Incidents = p.tracker.Update(step)
	p.tellPages(r.Incidents)
	r.Observations = thin(r.Observations, p.config.MaxSaved)
	whole := merge(p.unsaved, r)
	if err := p.store.Save(ctx, whole); err != nil {
		p.wait(whole)
		return Result{}, fmt.Errorf("save window: %w", err)
	}
	p.unsaved = Result{}
	return whole, nil
}

// Record gives an incident the result of an experiment, and saves it. It
// returns the incident as it is then. Errors wrap incident.ErrUnknown and
// incident.ErrOther, or are the store's: then nothing was recorded.
func (p *Pipeline) Record(ctx context.Context, id incident.ID, e incident.Experiment) (incident.Incident, error) {
	p.saving.Lock()
	defer p.saving.Unlock()
	return p.tracker.Record(id, e, func(k incident.Incident) error {
		if err := p.store.Save(ctx, Result{Incidents: []incident.Incident{k}}); err != nil {
			return fmt.Errorf("save incident %s: %w", id, err)
		}
		for i := range p.unsaved.Incidents { // or a later step would save it as it was
			if p.unsaved.Incidents[i].ID == id {
				p.unsaved.Incidents[i] = k
			}
		}
		return nil
	})
}
