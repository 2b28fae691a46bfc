package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"example.test/eddy/examples/scenarios"
	"example.test/eddy/internal/experiment"
	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/wording"
)

// simCmd are the verbs of the simulator.
type simCmd struct {
	Run      simRunCmd      `cmd:"" help:"Carry out a scenario: one run to look at, or the experiment in it."`
	Import   simImportCmd   `cmd:"" help:"Learn a scenario from recorded traces."`
	Defences simDefencesCmd `cmd:"" help:"Try the defences of scenarios against the harm in them."`
	Corpus   simCorpusCmd   `cmd:"" help:"Hold what is found against what was planted, over the scenarios that come with Eddy."`
	List     simListCmd     `cmd:"" help:"List the scenarios that come with Eddy."`
	Schema   simSchemaCmd   `cmd:"" help:"Print the JSON schema of scenario files, or of truth files."`
	Verify   simVerifyCmd   `cmd:"" help:"Measure the simulator against closed forms and published experiments."`
	Bench    simBenchCmd    `cmd:"" help:"Measure how fast the simulator is."`
}

// simRunCmd carries out a scenario.
type simRunCmd struct {
	Scenario   string   `arg:"" help:"A file, or the name of a scenario that comes with Eddy."`
	Experiment bool     `help:"Carry out the experiment of the file: all its factors, on and off, many times."`
	On         []string `help:"Conditions to switch on in the run that is drawn; an experiment switches its factors itself." placeholder:"ID"`
	Off        []string `help:"Conditions to switch off in it." placeholder:"ID"`
	Seed       *uint64  `help:"Seed of the run, and the first of the experiment (default: that of the file)."`
	Apart      bool     `help:"Give each arm of the experiment seeds of its own."`
	Workers    int      `help:"How many runs go on at the same time (default: one a core)."`
	Telemetry  string   `help:"Write the telemetry of the run to this file, for eddy replay." type:"path" placeholder:"FILE"`
	OTLP       string   `name:"otlp" help:"Send the telemetry of the run to a server, dated so that the run ends now." placeholder:"http://HOST:4318|grpc://HOST:4317"`
	Speed      float64  `help:"With --otlp: seconds of the run in one second, 1 as it would be (default: as fast as the server takes it)." placeholder:"N"`
	Token      string   `env:"EDDY_TOKEN" help:"Token to send with it, if the server wants one."`
	Truth      string   `help:"Write what is true of the run to this file: when which condition was in force, and which is to blame for which request." type:"path" placeholder:"FILE"`
	HTML       string   `name:"html" help:"Write a page with charts to this file." type:"path" placeholder:"FILE"`
	JSON       bool     `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (simRunCmd) Help() string {
	return `Examples:
  eddy sim run retry-storm
  eddy sim run retry-storm --off naive_retries --html out.html
  eddy sim run my-system.yaml --experiment
  eddy sim run retry-storm --telemetry told.jsonl --truth truth.jsonl
  eddy sim run flag-combination --otlp http://127.0.0.1:4318 --speed 10

The same file, seed and conditions give the same run. With --experiment the
asserts of the file are checked, and the exit status is 1 if one does not hold.`
}

// Run carries out the run, and the experiment if it was asked for.
func (c *simRunCmd) Run(ctx context.Context, std stdio) error {
	s, err := findScenario(c.Scenario)
	if err != nil {
		return err
	}
	if c.Speed < 0 || c.Speed > 0 && c.OTLP == "" {
		return errors.New("speed: want more than 0, and --otlp to say where to send")
	}
	if c.Experiment && s.Question == nil {
		return fmt.Errorf("scenario %s: %w", s.File, scenario.ErrNoExperiment)
	}
	if c.Seed != nil {
		s.Seed = *c.Seed
	}
	on := make(map[string]bool)
	for _, id := range c.On {
		on[id] = true
	}
	for _, id := range c.Off {
		on[id] = false
	}
	run, err := s.Run(ctx, s.Seed, on)
	if err != nil {
		return err
	}
	out := simResult{Picture: s.Draw(run), Responses: s.Responses(run)}
	if c.Telemetry != "" {
		if _, err := record(ctx, s, c.Telemetry, on); err != nil {
			return fmt.Errorf("telemetry: %w", err)
		}
	}
	if c.OTLP != "" {
		if err := c.send(ctx, s, on, std.err); err != nil {
			return fmt.Errorf("otlp: %w", err)
		}
	}
	if c.Truth != "" {
		if err := writeTo(c.Truth, func(w io.Writer) error { return s.WriteTruth(ctx, s.Seed, on, w) }); err != nil {
			return fmt.Errorf("truth: %w", err)
		}
	}
	if c.Experiment {
		if out.Experiment, err = c.experiment(ctx, s, std.err); err != nil {
			return err
		}
	}
	if err := c.write(std.out, s, out); err != nil {
		return err
	}
	if out.Experiment != nil && out.Experiment.Failed() {
		return errNo
	}
	return nil
}

// send tells the run to a server.
func (c *simRunCmd) send(ctx context.Context, s *scenario.Scenario, on map[string]bool, w io.Writer) (err error) {
	sink, err := sim.OpenServerSink(ctx, c.OTLP, c.Token)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	r, err := s.Send(ctx, s.Seed, on, scenario.Sending{Sink: sink, Speed: c.Speed, Began: time.Now()})
	if err != nil {
		return err
	}
	t := r.Telemetry
	_, err = fmt.Fprintf(w, "sent to %s: %s, %s and %s in %s\n", c.OTLP, wording.Plural(t.Spans, "span"),
		wording.Plural(t.Logs, "log record"), wording.Plural(t.Points, "metric point"), wording.Plural(t.Requests, "request"))
	return err
}

// experiment carries out the experiment, with progress on a terminal.
func (c *simRunCmd) experiment(ctx context.Context, s *scenario.Scenario, progress io.Writer) (*scenario.Study, error) {
	study, err := s.Experiment(ctx, func(o *experiment.Options) {
		o.Workers, o.Seed, o.Apart = c.Workers, s.Seed, c.Apart
		if terminal(progress) {
			o.Progress = func(done, most int) { fmt.Fprintf(progress, "\r\x1b[K%d of at most %d runs", done, most) }
		}
	})
	if terminal(progress) {
		fmt.Fprint(progress, "\r\x1b[K")
	}
	return &study, err
}

// simResult is what --json prints.
type simResult struct {
	scenario.Picture

	Responses  map[string]*float64 `json:"responses"`
	Experiment *scenario.Study     `json:"experiment,omitempty"`
}

// write prints the result, and writes the page.
func (c *simRunCmd) write(w io.Writer, s *scenario.Scenario, r simResult) error {
	if c.HTML != "" {
		if err := writePage(c.HTML, r); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(w, r)
	}
	if err := r.Picture.Write(w); err != nil {
		return err
	}
	if r.Experiment != nil {
		fmt.Fprintln(w)
		return r.Experiment.Write(w)
	}
	if n := len(s.Asserts); n > 0 {
		fmt.Fprintf(w, "\nThe file has an experiment, with asserts that were not checked: add --experiment.\n")
	}
	return nil
}

func writePage(path string, r simResult) error {
	err := writeTo(path, func(w io.Writer) error { return scenario.Page(w, r.Picture, r.Experiment) })
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// writeTo creates a file and has it written.
func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// findScenario reads a file or, if there is none of that name, one of those that
// come with Eddy.
func findScenario(name string) (*scenario.Scenario, error) {
	text, ok := scenarios.Read(name)
	if _, err := os.Stat(name); err == nil || !ok {
		s, err := scenario.Load(name)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(name, "/.") {
			return nil, fmt.Errorf("scenario %q: no such file, and none of that name comes with Eddy; \"eddy sim list\" lists them", name)
		}
		return s, err
	}
	return scenario.Parse(name+".yaml", text)
}

// simListCmd lists what comes with Eddy.
type simListCmd struct{}

// Run prints name and what it is about, one a line.
func (simListCmd) Run(std stdio) error {
	for _, name := range scenarios.Names() {
		s, err := findScenario(name)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(s.Description, ". ")
		fmt.Fprintf(std.out, "%-28s %s\n", name, strings.TrimSuffix(first, "."))
	}
	return nil
}

// simSchemaCmd prints the schema.
type simSchemaCmd struct {
	Truth bool `help:"That of a line of what --truth writes, instead."`
}

// Run prints it as JSON.
func (c *simSchemaCmd) Run(std stdio) error {
	if c.Truth {
		_, err := std.out.Write(scenario.TruthSchema())
		return err
	}
	out := json.NewEncoder(std.out)
	out.SetIndent("", "  ")
	return out.Encode(scenario.Schema())
}
