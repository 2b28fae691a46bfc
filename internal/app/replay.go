package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// A Replay carries recorded telemetry through the pipeline on its own clock:
// the time is that of the records, and a step is made for every Step of it.
type Replay struct {
	// Files are OTLP JSON lines as the collector's file exporter writes them, and
	// files of changes, plain or compressed. They are merged by time.
	Files    []string
	Analysis pipeline.Config
	// Step is how often the window is analysed, in recorded time. Default 10 s.
	Step time.Duration
	// Ingest holds the bounds and the redaction that apply.
	Ingest ingest.Config
	// Contracts are what phases in the records are judged by. PhaseWindow, if set,
	// asks for the phase report of that long before the end, an hour at most, with
	// the detail of the subjects that PhaseSubject selects.
	Contracts    []*contract.Contract
	PhaseWindow  time.Duration
	PhaseSubject string
	// Progress, if set, is called now and then with the bytes read of a file and
	// its size.
	Progress func(path string, read, size int64)
	// Points, if set, is given the metric points that Requests comes across.
	Points func([]*telemetry.Point)
	Log    *slog.Logger
}

// A Replayed is what a replay found.
type Replayed struct {
	// From and To are the times of the first and the last record.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Spans, Logs, Points and Changes count what was read; Requests what it
	// was assembled into, Failed and Slow how they ended.
	Spans    int `json:"spans"`
	Logs     int `json:"logs"`
	Points   int `json:"points"`
	Changes  int `json:"changes"`
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	Slow     int `json:"slow"`
	// Incidents are all there were, the oldest first.
	Incidents []incident.Incident `json:"incidents"`
	// Missing says what the telemetry lacks, the worst first.
	Missing []string `json:"missing"`
	// Phases is the report that was asked for.
	Phases *conformance.Report `json:"phases,omitempty"`
}

// Run replays. An error names the file and the line.
func (r Replay) Run(ctx context.Context) (Replayed, error) {
	step := r.Step
	if step == 0 {
		step = 10 * time.Second
	}
	if step < 0 {
		return Replayed{}, fmt.Errorf("step is %s: want a positive duration", step)
	}
	if err := r.Analysis.Validate(); err != nil {
		return Replayed{}, fmt.Errorf("options: %w", err)
	}
	r.Analysis.MiningTime = -1 // the same records give the same answer on every machine
	memory := store.NewMem()
	defer memory.Close()
	c := carrier{
		pipeline: pipeline.New(r.Analysis, memory, r.Log), step: step,
		out: Replayed{Incidents: []incident.Incident{}, Missing: []string{}},
	}
	for _, k := range r.Contracts {
		c.pipeline.Phases().Use(k)
	}
	for batch, err := range r.records() {
		if err == nil {
			err = c.carry(ctx, batch)
		}
		if err != nil {
			return Replayed{}, err
		}
	}
	if c.clock.IsZero() {
		return Replayed{}, fmt.Errorf("replay: no spans, logs or metrics in %s", strings.Join(r.Files, ", "))
	}
	out, err := c.end(ctx)
	if err == nil && r.PhaseWindow > 0 {
		report := c.pipeline.Phases().Detailed(r.PhaseWindow, out.To.Add(time.Nanosecond), r.PhaseSubject) // the last record is in it
		out.Phases = &report
	}
	return out, err
}

// A carrier takes records to the pipeline and keeps its clock.
type carrier struct {
	pipeline    *pipeline.Pipeline
	step        time.Duration
	clock, next time.Time // of the last record, of the next step
	out         Replayed
}

// carry takes one record in, after the steps up to it. Records come nearly in
// order; the clock never runs backwards, and what is older than it is late, as
// it would have been then.
func (c *carrier) carry(ctx context.Context, r record) error {
	if r.moves() {
		if c.clock.IsZero() {
			c.out.From, c.clock, c.next = r.from, r.from, r.from.Add(c.step)
		}
		if err := c.advance(ctx, r.to); err != nil {
			return err
		}
	}
	c.out.Spans += len(r.Spans)
	c.out.Logs += len(r.Logs)
	c.out.Points += len(r.Points)
	c.out.Changes += len(r.Changes)
	c.pipeline.Add(c.clock, r.Batch)
	return ctx.Err()
}

// advance makes the steps up to now. Where nothing was recorded for so long
// that the window is empty and all that time ends has ended, it goes straight to
// the last of them: there is nothing to see in between.
func (c *carrier) advance(ctx context.Context, now time.Time) error {
	idle := max(c.pipeline.Window(), 15*time.Minute)
	for !c.next.After(now) {
		if skipped := now.Sub(c.next) / c.step; c.next.Sub(c.clock) > idle {
			c.next = c.next.Add(skipped * c.step)
		}
		if err := c.analyse(ctx); err != nil {
			return err
		}
	}
	if now.After(c.clock) {
		c.clock = now
	}
	return nil
}

// analyse makes the next step.
func (c *carrier) analyse(ctx context.Context) error {
	r, err := c.pipeline.Step(ctx, c.next)
	if err != nil {
		return err
	}
	c.next = c.next.Add(c.step)
	c.out.Requests += r.Requests
	c.out.Failed += r.Failed
	c.out.Slow += r.Slow
	c.out.Missing = append(c.out.Missing[:0], r.Missing...)
	return nil
}

// end completes what is still open.
func (c *carrier) end(ctx context.Context) (Replayed, error) {
	c.out.To = c.clock
	c.pipeline.Drain(c.clock)
	if err := c.analyse(ctx); err != nil {
		return Replayed{}, err
	}
	c.out.Incidents = append(c.out.Incidents, c.pipeline.Incidents()...)
	return c.out, nil
}
