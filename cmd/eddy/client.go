package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// A server says which running server a command asks.
type server struct {
	Server string `default:"http://127.0.0.1:7080" env:"EDDY_SERVER" help:"Address of a running server."`
	Token  string `env:"EDDY_TOKEN" help:"Token to show it, if it wants one."`
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// get asks the server and decodes the answer into v.
func (s server) get(ctx context.Context, path string, v any) error {
	return s.ask(ctx, http.MethodGet, path, nil, v)
}

// ask sends a body, if there is one, and decodes the answer into v.
func (s server) ask(ctx context.Context, method, path string, sent []byte, v any) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	response, err := s.open(ctx, method, path, sent)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("ask %s: %w", s.Server, err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("answer of %s%s is not what this version of eddy expects: %w", s.Server, path, err)
	}
	return nil
}

// open asks and returns an answer that is not read yet, if it is a good one.
func (s server) open(ctx context.Context, method, path string, sent []byte) (*http.Response, error) {
	path, query, _ := strings.Cut(path, "?")
	target, err := url.JoinPath(s.Server, path)
	if err != nil {
		return nil, fmt.Errorf("server %q: want an address such as http://127.0.0.1:7080", s.Server)
	}
	if query != "" {
		target += "?" + query
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(sent))
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", s.Server, err)
	}
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w; is \"eddy serve\" running there?", s.Server, errors.Unwrap(err))
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", s.Server, err)
	}
	return nil, fmt.Errorf("ask %s%s: %s: %s", s.Server, path, response.Status, refusal(body))
}

// refusal takes the message out of an error answer.
func refusal(body []byte) string {
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error.Message != "" {
		return answer.Error.Message
	}
	return strings.TrimSpace(string(body[:min(len(body), 300)]))
}

// incidentsCmd lists the incidents of a running server.
type incidentsCmd struct {
	server
	All  bool `help:"Also those that are resolved."`
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (incidentsCmd) Help() string {
	return `Examples:
  eddy incidents
  eddy incidents --all --json
  EDDY_SERVER=https://eddy.internal:7080 EDDY_TOKEN=... eddy incidents`
}

// Run prints one line per incident, the last updated first.
func (c *incidentsCmd) Run(ctx context.Context, std stdio) error {
	var answer struct {
		Incidents []incident.Incident `json:"incidents"`
	}
	if err := c.get(ctx, "/api/v1/incidents", &answer); err != nil {
		return err
	}
	list := []incident.Incident{}
	for _, k := range answer.Incidents {
		if c.All || k.State != incident.Resolved {
			list = append(list, k)
		}
	}
	if c.JSON {
		return printJSON(std.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(std.out, "No open incidents.")
		return err
	}
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, k := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.ID, k.State, k.Began.Local().Format("Jan _2 15:04"), k.Title)
	}
	return t.Flush()
}

// showCmd prints one incident of a running server.
type showCmd struct {
	server
	ID   string `arg:"" help:"The incident, as \"eddy incidents\" prints it."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (showCmd) Help() string {
	return `Examples:
  eddy show 2026-05-04-1
  eddy show 2026-05-04-1 --json | jq .finding.conditions`
}

// Run prints the sentence, the cells, the evidence and the timeline.
func (c *showCmd) Run(ctx context.Context, std stdio) error {
	var k incident.Incident
	if err := c.get(ctx, "/api/v1/incidents/"+url.PathEscape(c.ID), &k); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, k)
	}
	return printIncident(std.out, k)
}

// printIncident writes an incident for people.
func printIncident(w io.Writer, k incident.Incident) error {
	p := newPage(w)
	p.speak("request", k.Outcome)
	p.headline(k.Title)
	p.line("%s, %s: %s of %s requests %s from %s to %s.", k.ID, k.State,
		wording.Count(k.Failures), wording.Count(k.Requests), p.words.Ended(k.Failures),
		k.Began.Local().Format(time.DateTime), k.LastFailure.Local().Format(time.TimeOnly))
	for _, e := range k.Entries {
		p.line("  at %s", e)
	}
	p.line("")
	p.wrap("Next: ", k.Next())
	if e := k.Experiment(); e != nil {
		p.wrap("Experiment: ", e.Sentence()+".")
	}
	if k.Finding != nil {
		p.finding(*k.Finding, false)
		p.traces(*k.Finding)
	}
	for i, f := range k.Phases {
		p.line("")
		if i == 0 {
			p.line("Phases that did not agree at the time")
		}
		p.phaseFinding(f)
	}
	if len(k.Missing) > 0 {
		p.line("")
		p.line("What is missing")
		for _, m := range k.Missing {
			p.wrap("  - ", m)
		}
	}
	p.line("")
	p.line("Timeline")
	for _, m := range k.Timeline {
		p.wrap(fmt.Sprintf("  %s  %-13s ", m.Time.Local().Format(time.DateTime), m.What), m.Text)
	}
	_, err := w.Write(p.text.Bytes())
	return err
}

// traces prints examples of what failed, and of what did not though all but
// one of the conditions were in force.
func (p *page) traces(f interaction.Finding) {
	const each = 3
	p.line("")
	p.line("Traces")
	for i, c := range f.Cells {
		if i > len(f.Conditions) || len(c.Traces) == 0 {
			continue
		}
		var ids []string
		for _, t := range c.Traces[:min(len(c.Traces), each)] {
			ids = append(ids, t.String())
		}
		p.wrap("  ", holding(c, len(f.Conditions))+":")
		for _, id := range ids {
			p.line("    %s", id)
		}
	}
}

// printJSON writes v, indented.
func printJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// terminal reports whether w is one, so that progress may be drawn on it.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
