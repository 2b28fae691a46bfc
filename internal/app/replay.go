package app

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store"
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
	// Progress, if set, is called now and then with the bytes read of a file and
	// its size.
	Progress func(path string, read, size int64)
	Log      *slog.Logger
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
}

// Run replays. An error names the file and the line.
func (r Replay) Run(ctx context.Context) (Replayed, error) {
	step := r.Step
	if step <= 0 {
		step = 10 * time.Second
	}
	if err := r.Analysis.Validate(); err != nil {
		return Replayed{}, fmt.Errorf("options: %w", err)
	}
	r.Analysis.MiningTime = -1 // the same records give the same answer on every machine
	memory := store.NewMem()
	defer memory.Close()
	p := pipeline.New(r.Analysis, memory, r.Log)
	out := Replayed{Incidents: []incident.Incident{}, Missing: []string{}}
	var clock, next time.Time
	tally := func(x pipeline.Result) {
		out.Requests += x.Requests
		out.Failed += x.Failed
		out.Slow += x.Slow
		out.Missing = append(out.Missing[:0], x.Missing...)
	}
	for batch, err := range r.records() {
		if err != nil {
			return Replayed{}, err
		}
		if err := ctx.Err(); err != nil {
			return Replayed{}, err
		}
		// Records come nearly in order; the clock never runs backwards, and what
		// is older than it is late, as it would have been then. Changes do not move
		// it: a file of them may reach over weeks.
		if telemetry := batch.Len() - len(batch.Changes); telemetry > 0 {
			if clock.IsZero() {
				out.From, next = batch.First, batch.First.Add(step)
			}
			clock = maxTime(clock, batch.Last)
		}
		for !clock.IsZero() && !next.After(clock) {
			x, err := p.Step(ctx, next)
			if err != nil {
				return Replayed{}, err
			}
			tally(x)
			next = next.Add(step)
		}
		out.Spans += len(batch.Spans)
		out.Logs += len(batch.Logs)
		out.Points += len(batch.Points)
		out.Changes += len(batch.Changes)
		p.Add(clock, batch.Batch)
	}
	if clock.IsZero() {
		return Replayed{}, fmt.Errorf("replay: no spans, logs or metrics in %s", strings.Join(r.Files, ", "))
	}
	out.To = clock
	p.Drain(clock)
	x, err := p.Step(ctx, maxTime(next, clock))
	if err != nil {
		return Replayed{}, err
	}
	tally(x)
	out.Incidents = append(out.Incidents, p.Incidents()...)
	return out, nil
}

// records merges the files by the first time of their batches. Each file is
// read in its own order.
func (r Replay) records() iter.Seq2[ingest.Received, error] {
	return func(yield func(ingest.Received, error) bool) {
		reader, err := ingest.NewReader(r.Ingest, nil)
		if err != nil {
			yield(ingest.Received{}, err)
			return
		}
		reader.Progress = r.Progress
		type source struct {
			head ingest.Received
			next func() (ingest.Received, error, bool)
		}
		var open []*source
		advance := func(s *source) (more bool, err error) {
			s.head, err, more = s.next()
			return more && err == nil, err
		}
		for _, path := range r.Files {
			next, stop := iter.Pull2(reader.File(path))
			defer stop()
			s := &source{next: next}
			more, err := advance(s)
			if err != nil {
				yield(ingest.Received{}, err)
				return
			}
			if more {
				open = append(open, s)
			}
		}
		for len(open) > 0 {
			first := slices.MinFunc(open, func(a, b *source) int { return a.head.First.Compare(b.head.First) })
			if !yield(first.head, nil) {
				return
			}
			more, err := advance(first)
			if err != nil {
				yield(ingest.Received{}, err)
				return
			}
			if !more {
				open = slices.DeleteFunc(open, func(s *source) bool { return s == first })
			}
		}
	}
}

// maxTime returns the later of two times.
func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
