package pipeline

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// New returns a pipeline that saves to store. The config must be valid.
func New(c Config, store Store, log *slog.Logger) *Pipeline {
	c = c.withDefaults()
	roles, err := condition.NewRoles(c.Roles...)
	if err != nil {
		panic("BUG: pipeline config was not validated: " + err.Error())
	}
	mined := make(map[request.Outcome]*interaction.Window)
	for _, outcome := range explained() {
		w, err := interaction.NewWindow(c.mining(outcome), bucketSeconds*time.Second)
		if err != nil {
			panic("BUG: pipeline config was not validated: " + err.Error())
		}
		mined[outcome] = w
	}
	dictionary := condition.NewDictionary(0)
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	return &Pipeline{
		config: c, store: store, log: log, tracker: incident.NewTracker(c.Incident, nil),
		phases: conformance.New(conformance.Config{Objective: c.Objective}),
		missed: make(map[request.Outcome]int), mined: mined,
		assembler:  request.New(c.Request),
		dictionary: dictionary, timeline: timeline,
		stamper:   condition.NewStamper(condition.StamperConfig{Roles: roles}, dictionary, timeline),
		inferrer:  condition.NewInferrer(condition.InferrerConfig{}, timeline),
		coverage:  condition.NewCoverage(c.Window),
		window:    newWindow(c.Window, c.MaxObservations),
		sightings: sightings{gap: c.Window},
	}
}

// Window is how much time is analysed together.
func (p *Pipeline) Window() time.Duration { return p.config.Window }

// Add takes in what arrived at now.
func (p *Pipeline) Add(now time.Time, b telemetry.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phases.Add(now, b)
	p.apply(now, b.Changes)
	p.infer(now, p.inferrer.Observe(now, b.Points))
	p.stamper.Logs(now, b.Logs)
	p.coverage.AddLogs(now, b.Logs)
	p.coverage.AddPoints(now, b.Points)
	p.assembler.Add(now, b.Spans)
	p.relieve(now)
}

// relieve completes requests between two steps when the assembler is half full,
// so that a step that takes long does not cost spans; at most once a second, and
// up to as many as the window keeps.
func (p *Pipeline) relieve(now time.Time) {
	most := cmp.Or(p.config.Request.MaxSpans, 1_000_000)
	if now.Sub(p.relieved) < time.Second || 2*p.assembler.Stats().HeldSpans < most || len(p.fresh) >= p.config.MaxObservations {
		return
	}
	p.relieved = now
	p.observe(now, p.assembler.Flush(now))
}

// apply puts reported changes in force.
func (p *Pipeline) apply(now time.Time, changes []*telemetry.Change) {
	p.timeline.Apply(changes...)
	p.note(now, changes)
}

// infer keeps changes that nobody reported to be saved; the inferrer has put
// them in force.
func (p *Pipeline) infer(now time.Time, changes []*telemetry.Change) {
	p.note(now, changes)
	p.inferred = append(p.inferred, changes...)
}

// note keeps changes for the timelines of incidents.
func (p *Pipeline) note(now time.Time, changes []*telemetry.Change) {
	p.coverage.AddChanges(now, changes...)
	p.changes = append(p.changes, changes...)
	if extra := len(p.changes) - maxChanges; extra > 0 {
		sortChanges(p.changes)
		p.changes = slices.Delete(p.changes, 0, extra+maxChanges/10) // so that a flood is not sorted for each
	}
}

// sortChanges puts changes in the order of time; they come in any.
func sortChanges(list []*telemetry.Change) {
	slices.SortStableFunc(list, func(a, b *telemetry.Change) int { return a.Time.Compare(b.Time) })
}

// collect completes requests and moves the window.
func (p *Pipeline) collect(now time.Time) Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observe(now, p.assembler.Flush(now))
	p.window.trim(now)
	oldest := now.Add(-p.config.Window)
	p.graphs = slices.DeleteFunc(p.graphs, func(m minute) bool { return m.start.Add(time.Minute).Before(oldest) })
	p.changes = slices.DeleteFunc(p.changes, func(c *telemetry.Change) bool { return c.Time.Before(oldest) })
	r := Result{
		Window: p.window.span(now), Observations: p.fresh, Dictionary: p.dictionary,
		Totals: p.window.totals(), Changes: p.inferred, Graph: p.graph(),
		Findings: make(map[request.Outcome]interaction.Result), Missing: p.coverage.Missing(),
	}
	r.count()
	if now.After(p.forgotten) {
		p.known = nil // what it knew of has left the window
	}
	p.fresh, p.inferred = nil, nil
	return r
}

// count counts the observations before any of them are left out.
func (r *Result) count() {
	r.Requests = len(r.Observations)
	for i := range r.Observations {
		switch r.Observations[i].Outcome {
		case request.Failed:
			r.Failed++
		case request.Slow:
			r.Slow++
		case request.OK:
		}
	}
}

// observe stamps requests that are complete and puts them in the window.
func (p *Pipeline) observe(now time.Time, done []request.Request) {
	// Without requests too: a rollout ends by time.
	p.infer(now, p.inferrer.ObserveRequests(now, done))
	if len(done) == 0 {
		return
	}
	if last := len(p.graphs) - 1; last < 0 || now.Sub(p.graphs[last].start) >= time.Minute {
		p.graphs = append(p.graphs, minute{now, graph.New()})
	}
	p.coverage.Add(now, done...)
	current := p.graphs[len(p.graphs)-1].graph
	if len(p.known) > 0 {
		p.phases.Requests(now, slices.DeleteFunc(slices.Clone(done), func(r request.Request) bool { return p.known[r.ID] }))
	} else {
		p.phases.Requests(now, done)
	}
	for _, r := range done {
		current.Add(r)
		o := p.stamper.Stamp(r)
		if p.known[o.Request] {
			continue // it was observed before a restart
		}
		p.sightings.add(o)
		p.window.add(now, o)
		p.fresh = append(p.fresh, o)
	}
}

// graph merges the graphs of the window.
func (p *Pipeline) graph() *graph.Graph {
	g := graph.New()
	for _, m := range p.graphs {
		g.Merge(m.graph)
	}
	return g
}

// Graph returns who called whom in the window.
func (p *Pipeline) Graph() *graph.Graph {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.graph()
}

// Coverage returns how complete the telemetry of each service is, and what is
// missing, the worst first.
func (p *Pipeline) Coverage() ([]condition.ServiceCoverage, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.coverage.Report(), p.coverage.Missing()
}

// kept returns the observations of the window that are kept.
func (p *Pipeline) kept() []condition.Observation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.window.observations()
}

// evidence gathers what the tracker asks for.
func (p *Pipeline) evidence(r Result, kept []condition.Observation) incident.Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := r.Window.End
	sortChanges(p.changes)
	until := slices.IndexFunc(p.changes, func(c *telemetry.Change) bool { return c.Time.After(now) })
	if until < 0 {
		until = len(p.changes)
	}
	var states []condition.State // asked for once, if at all
	return incident.Step{
		Now: now, Window: r.Window, Dictionary: p.dictionary, Fresh: r.Observations, Kept: kept,
		Results: r.Findings, Changes: slices.Clone(p.changes[:until]), Missing: r.Missing,
		Flipped: p.phases.Flipped, Passes: passes(r.Graph),
		Since: func(c condition.Condition) incident.Since {
			p.mu.Lock()
			defer p.mu.Unlock()
			if states == nil {
				states = p.timeline.All(now)
			}
			return p.since(c, now, states)
		},
	}
}

// since returns what put a condition in force, or when it was first seen.
func (p *Pipeline) since(c condition.Condition, now time.Time, states []condition.State) incident.Since {
	var since incident.Since
	for _, s := range states { // an instance may have had it before others
		if s.Condition() == c && (since.Change == nil || s.Since.Before(since.Time)) {
			since = incident.Since{Change: s.Change, Time: s.Since}
		}
	}
	if since.Change != nil {
		return since
	}
	for _, x := range slices.Backward(p.changes) { // it may be over
		if x.Entity == c.Entity && x.Dimension == c.Dimension && x.Value == c.Value && !x.Ends && !x.Time.After(now) {
			return incident.Since{Change: x, Time: x.Time}
		}
	}
	if id, ok := p.dictionary.ID(c); ok {
		return p.sightings.since(id)
	}
	return incident.Since{}
}

// Stats say what was counted since the pipeline was made, and what it holds.
type Stats struct {
	Request  request.Stats
	Stamper  condition.StamperStats
	Timeline condition.TimelineStats
	// Kept is how many observations the window holds; TooLate how many came
	// after their time had left it, or lay as far ahead, Crowded how many were at
	// more entries than it follows. Those are in no analysis.
	Kept    int
	TooLate uint64
	Crowded uint64
	// Conditions is how many distinct ones are known.
	Conditions int
	// Unanalysed is how many analyses of an outcome were given up, because they
	// took longer than Config.MiningTime or went wrong.
	Unanalysed uint64
	// Unsaved is how many observations are lost to later readers because too many
	// waited for a store that refused. Totals do not lose them.
	Unsaved uint64
}

// Stats returns what was counted so far.
func (p *Pipeline) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{
		Request: p.assembler.Stats(), Stamper: p.stamper.Stats(), Timeline: p.timeline.Stats(),
		Kept: p.window.ok + p.window.bad, TooLate: p.window.tooLate, Crowded: p.window.crowded, Conditions: len(p.dictionary.All()),
		Unanalysed: p.unanalysed, Unsaved: p.lost,
	}
}

// Drain completes every request that is still open, at the end of a replay.
// The next Step takes them in.
func (p *Pipeline) Drain(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observe(now, p.assembler.Drain(now))
}

// Incidents returns all that the pipeline knows, the oldest first.
func (p *Pipeline) Incidents() []incident.Incident {
	p.saving.Lock()
	defer p.saving.Unlock()
	return p.tracker.Incidents()
}
