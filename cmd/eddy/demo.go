package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/demo"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// demoCmd plays a story in a shop of real services and shows what Eddy makes
// of it.
type demoCmd struct {
	Story string        `default:"twist" help:"Which story: twist (an interaction of three conditions), single (one bad deploy amid harmless changes), unclear (telemetry is missing, and the honest answer is that nothing explains it)."`
	Seed  uint64        `default:"1" help:"Decides prices, customers, shares and which instances change. Another seed gives other numbers."`
	Rate  float64       `default:"80" help:"Requests a second."`
	Web   string        `default:"127.0.0.1:7080" help:"Address of the pages. A free port is taken if this one is in use."`
	Data  string        `help:"Directory to keep what was recorded in. Without it a temporary one is removed at the end." type:"path"`
	For   time.Duration `help:"Stop after this long. Without it the shop stays open until interrupted."`
	Check bool          `help:"Play all stories, compare each verdict with the truth, and exit with 1 if one is wrong."`
	JSON  bool          `name:"json" help:"With --check, print the result as JSON."`
}

// Help is shown by --help after the flags.
func (demoCmd) Help() string {
	return `Examples:
  eddy demo                        the twist; open the page it prints
  eddy demo --story unclear        what an honest "I do not know" looks like
  eddy demo --check --seed 3       all stories, against the truth`
}

const (
	// verdictWithin is how long after the start a verdict must be there.
	verdictWithin = 60 * time.Second
	// holdsFor is how long an explanation must have stood to be announced.
	holdsFor = 4 * time.Second
	// unsureFor is how long failures must have gone on without an explanation,
	// or with one that is not sure of its kind, before that is announced as the
	// answer.
	unsureFor = 20 * time.Second
)

// Run plays one story, or with --check all of them.
func (c *demoCmd) Run(ctx context.Context, std stdio) error {
	switch {
	case c.Check && c.Data != "":
		return errors.New("demo: --check plays several stories, each in a directory of its own: leave --data out")
	case c.For < 0:
		return fmt.Errorf("demo: --for is %s: want a positive duration", c.For)
	case c.Check:
		return c.check(ctx, std)
	}
	parent := ctx
	if c.For > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, c.For)
		defer stop()
	}
	fmt.Fprintf(std.out, "Opening a shop of real services on loopback, and an Eddy beside it. Story %q, seed %d.\n\n", c.Story, c.Seed)
	answer, err := c.play(ctx, c.Story, c.Web, std.out, func(a *app.App, k incident.Incident) {
		fmt.Fprintf(std.out, "\n  %s\n\n  %s/incidents/%s\n\n", k.Title, a.URL(), k.ID)
		for _, m := range k.Missing[:min(len(k.Missing), 5)] {
			fmt.Fprintf(std.out, "  missing: %s\n", m)
		}
		if c.For == 0 {
			fmt.Fprintf(std.out, "\nThe shop stays open; press Ctrl-C to close it.\n\n")
		}
	}, false)
	if err != nil {
		return err
	}
	switch {
	case answer != nil:
		return nil
	case parent.Err() != nil:
		return parent.Err()
	}
	fmt.Fprintln(std.err, "eddy: demo: stopped before there was a verdict")
	return errNo
}

// play opens a server and a shop, and calls verdict when one holds. It returns
// the incident of the verdict when ctx ends, or, if asked, at once.
func (c *demoCmd) play(ctx context.Context, story, web string, narration io.Writer, verdict func(*app.App, incident.Incident), stopThen bool) (*incident.Incident, error) {
	began := time.Now()
	server, ended, stop, err := c.serve(ctx, web)
	if err != nil {
		return nil, err
	}
	defer stop()
	grpc, _ := server.OTLP()
	shop, err := demo.Start(context.WithoutCancel(ctx), demo.Config{
		Story: story, Seed: c.Seed, Rate: c.Rate, OTLPEndpoint: grpc,
		ChangesURL: server.URL() + "/api/v1/changes", Log: narration, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		_ = shop.Close(closing) // it is a demo; what it could not export is lost with it
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	var told *incident.Incident
	for {
		select {
		case <-ctx.Done():
			return told, nil
		case err := <-ended:
			return told, fmt.Errorf("demo: the server stopped: %w", err)
		case <-shop.Done():
			return told, shop.Wait()
		case now := <-tick.C:
			all, err := server.Records().Incidents(ctx, telemetry.Window{})
			if err != nil && ctx.Err() == nil {
				return nil, err
			}
			// With --data an earlier demo may have left some.
			all = slices.DeleteFunc(all, func(k incident.Incident) bool { return k.LastFailure.Before(began) })
			k := standing(all, now)
			if k != nil && (told == nil || !sameAnswer(told, k)) {
				told = k
				verdict(server, *k)
			}
			if stopThen && (told != nil || now.Sub(began) > verdictWithin) {
				return told, nil
			}
		}
	}
}

// standing returns the incident whose answer has stood long enough to be told.
func standing(all []incident.Incident, now time.Time) *incident.Incident {
	for _, k := range all {
		if k.Finding == nil {
			continue
		}
		var since time.Time
		for _, m := range k.Timeline {
			if m.What == "explained" || m.What == "reworded" {
				since = m.Time
			}
		}
		wait := holdsFor
		if k.Finding.Verdict == interaction.Joint {
			wait = unsureFor
		}
		if now.Sub(since) >= wait {
			return &k
		}
	}
	if slices.ContainsFunc(all, func(k incident.Incident) bool { return k.Finding != nil }) {
		return nil // it has yet to stand
	}
	for _, k := range all {
		if now.Sub(k.Opened) >= unsureFor {
			return &k
		}
	}
	return nil
}

// sameAnswer reports whether two incidents say the same.
func sameAnswer(a, b *incident.Incident) bool {
	if a.ID != b.ID || (a.Finding == nil) != (b.Finding == nil) {
		return false
	}
	return a.Finding == nil || a.Finding.Verdict == b.Finding.Verdict && slices.Equal(a.Finding.Conditions, b.Finding.Conditions)
}

// serve runs a server that answers fast, for a demo: it analyses every two
// seconds and waits little for late spans. It returns what says that the server
// ended by itself, and what ends it.
func (c *demoCmd) serve(ctx context.Context, web string) (*app.App, <-chan error, func(), error) {
	data, remove := c.Data, func() error { return nil }
	if data == "" {
		dir, err := os.MkdirTemp("", "eddy-demo-")
		if err != nil {
			return nil, nil, nil, err
		}
		data, remove = dir, func() error { return os.RemoveAll(dir) }
	}
	o := app.Options{
		Data: data, Web: web, Step: 2 * time.Second, Drain: 5 * time.Second,
		Analysis: pipeline.Config{Request: request.Config{Quiet: 2500 * time.Millisecond}},
	}
	o.Ingest.GRPC, o.Ingest.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	log := slog.New(slog.DiscardHandler)
	server, err := app.New(ctx, o, log)
	if app.AddressInUse(err) {
		o.Web = "127.0.0.1:0"
		server, err = app.New(ctx, o, log)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, remove())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		err := server.Run(run)
		if run.Err() == nil {
			ended <- cmp.Or(err, errors.New("it was not told to"))
		}
	}()
	return server, ended, func() {
		stop()
		<-done
		_ = remove() // a temporary directory that stays is the system's to clean
	}, nil
}

// A checked is how one story went.
type checked struct {
	Story   string                `json:"story"`
	Seed    uint64                `json:"seed"`
	Right   bool                  `json:"right"`
	Want    string                `json:"want"`
	Got     string                `json:"got"`
	Title   string                `json:"title,omitempty"`
	Seconds float64               `json:"seconds"` // from the start to the verdict
	Lacks   []string              `json:"lacks,omitempty"`
	Set     []condition.Condition `json:"conditions,omitempty"`
}

// check plays every story and compares the verdict with the truth.
func (c *demoCmd) check(ctx context.Context, std stdio) error {
	var results []checked
	wrong := 0
	for _, s := range demo.Stories() {
		if !c.JSON {
			fmt.Fprintf(std.err, "playing %s, seed %d ...\n", s.Name, c.Seed)
		}
		began := time.Now()
		k, err := c.play(ctx, s.Name, "127.0.0.1:0", io.Discard, func(*app.App, incident.Incident) {}, true)
		if err != nil {
			return fmt.Errorf("story %s: %w", s.Name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := compare(s, k)
		r.Seed, r.Seconds = c.Seed, time.Since(began).Round(100*time.Millisecond).Seconds()
		if !r.Right {
			wrong++
		}
		results = append(results, r)
		if !c.JSON {
			fmt.Fprintf(std.out, "%-5s %-8s %4.1f s  %s\n", word(r.Right), r.Story, r.Seconds, r.Title)
			if !r.Right {
				fmt.Fprintf(std.out, "      want %s\n      got  %s\n", r.Want, r.Got)
			}
		}
	}
	if c.JSON {
		out := json.NewEncoder(std.out)
		out.SetIndent("", "  ")
		if err := out.Encode(results); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return errNo
	}
	return nil
}

// word says whether an answer was right.
func word(right bool) string {
	if right {
		return "right"
	}
	return "WRONG"
}

// compare holds an answer against the truth of its story.
func compare(s demo.Story, k *incident.Incident) checked {
	r := checked{Story: s.Name, Want: answer(s.Truth.Verdict, s.Truth.Conditions), Got: "no verdict within " + verdictWithin.String()}
	if k == nil {
		return r
	}
	r.Title = k.Title
	verdict := interaction.NoExplanation
	if k.Finding != nil {
		verdict, r.Set = k.Finding.Verdict, k.Finding.Conditions
	}
	r.Got = answer(verdict, r.Set)
	for _, service := range s.Truth.Unseen {
		if !slices.ContainsFunc(k.Missing, func(m string) bool { return strings.Contains(m, service) }) {
			r.Lacks = append(r.Lacks, "what is missing does not name "+service)
		}
	}
	if len(r.Lacks) > 0 {
		r.Got += "; " + strings.Join(r.Lacks, "; ")
	}
	r.Right = r.Got == r.Want
	return r
}

// answer writes a verdict and its conditions.
func answer(v interaction.Verdict, conditions []condition.Condition) string {
	if len(conditions) == 0 {
		return string(v)
	}
	texts := make([]string, len(conditions))
	for i, c := range conditions {
		texts[i] = c.String()
	}
	return string(v) + ": " + strings.Join(texts, ", ")
}
