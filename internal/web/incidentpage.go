package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// mostMoments is how many lines of a timeline are shown, the last ones.
const mostMoments = 60

// incidentView is what an incident's page shows.
type incidentView struct {
	Title, ID, State         string
	StateTitle               string
	Sentence                 []part
	Verdict, VerdictTitle    string
	Hurt, Rate, Word, Noun   string // noun: what one of those that were hurt is called
	Entries                  []string
	Since, Age, Last, Ended  string
	Next                     string
	Status                   string
	Experiment               *experimentView
	Grade, Facts             string
	Cells                    cellsView
	CellQueries              []copyable
	Confluence               *Confluence
	Pictures                 []picture
	PictureNote, PictureHelp string
	PictureQueries           []copyable
	Aliases                  []string
	For, Against, Missing    []string
	Phases                   []phaseView
	Timeline                 []momentLine
	Earlier                  string // moments left out
	Links                    []Link
}

// momentLine is one line of the timeline.
type momentLine struct {
	Time, ISO, Offset, What, Text, Letter string
	By, URL                               string
}

func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request) error {
	i, err := s.incident(r)
	if err != nil {
		return err
	}
	now := s.config.Clock().UTC()
	v := viewIncident(i, now)
	c, err := s.confluence(r.Context(), i)
	if err != nil {
		return err
	}
	v.Confluence = c
	if slices.ContainsFunc(c.Rates, func(r Rate) bool { return r.Requests > 0 }) {
		v.Pictures, v.PictureNote, v.PictureHelp = paint(c, i, now), pictureNote(c), pictureHelp(c)
	}
	path := "/api/v1/incidents/" + string(i.ID)
	v.CellQueries = []copyable{apiQuery(r, path), cellsSQL(i, c.Window)}
	v.PictureQueries = []copyable{apiQuery(r, path+"/confluence"), ratesSQL(c)}
	for _, l := range s.config.IncidentLinks {
		v.Links = append(v.Links, l.expand(map[string]string{
			"incident": string(i.ID),
			"from":     strconv.FormatInt(c.Window.Start.UnixMilli(), 10),
			"to":       strconv.FormatInt(c.Window.End.UnixMilli(), 10),
		}))
	}
	return s.render(w, r, http.StatusOK, "incident", v)
}

func viewIncident(i incident.Incident, now time.Time) incidentView {
	v := incidentView{
		Title: shorten(i.Title, 90), ID: string(i.ID), State: string(i.State),
		Sentence: sentence(i), Verdict: verdictOf(i), VerdictTitle: verdictTitle(i), Next: i.Next(),
		Since: clock(i.Began, now) + " UTC", Cells: viewCells(i), Missing: i.Missing, Word: "Failed",
	}
	words := i.Outcome.Words("request")
	v.Noun = words.Noun
	v.StateTitle = map[incident.State]string{
		incident.Open:      "Requests are still being hurt.",
		incident.Mitigated: "The " + words.Nouns + " stopped. The cause is still in force somewhere, or is not known.",
		incident.Resolved:  "The cause is no longer in force.",
	}[i.State]
	if i.State == incident.Mitigated {
		v.State = "mitigated, cause open"
	}
	if i.Outcome == request.Slow {
		v.Word = "Slow"
	}
	v.Hurt, v.Rate = harm(i)
	for _, e := range i.Entries {
		v.Entries = append(v.Entries, e.String())
	}
	if !i.LastFailure.IsZero() {
		v.Last = clock(i.LastFailure, now) + " UTC, " + spell(now.Sub(i.LastFailure)) + " ago"
	}
	v.Age = spell(now.Sub(i.Began))
	if !i.Closed.IsZero() {
		v.Age, v.Ended = spell(i.Closed.Sub(i.Began)), clock(i.Closed, now)+" UTC"
	}
	if f := i.Finding; f != nil {
		v.Grade = f.Grade
		v.Status = string(statusOf(i))
		v.Experiment = viewExperiment(i, now)
		rest := "the rest of the traffic"
		if f.Rank > 1 {
			rest += " that the findings before it leave"
		}
		v.Facts = fmt.Sprintf("All of them together cover %s of the %s. %s of those would not have been expected at the risk of %s; adjusted p %s.",
			wording.Percent(f.Coverage), words.Nouns, wording.Count(int(f.Excess+0.5)), rest, probability(f.P))
		v.For, v.Against, v.Missing = f.For, f.Against, unique(f.Missing, i.Missing)
		for _, a := range f.Aliases {
			v.Aliases = append(v.Aliases, fmt.Sprintf("%s goes with %s: %s parted them.", a.Condition, a.Of, wording.Plural(a.Discordant, "observation")))
		}
	}
	for _, f := range i.Phases {
		v.Phases = append(v.Phases, viewPhase(f, i))
	}
	v.timeline(i, now)
	return v
}

func (v *incidentView) timeline(i incident.Incident, now time.Time) {
	moments := i.Timeline
	if left := len(moments) - mostMoments; left > 0 {
		v.Earlier = wording.Plural(left, "earlier moment") + " in the API"
		moments = moments[left:]
	}
	for _, m := range moments {
		line := momentLine{
			Time: clock(m.Time, now), ISO: m.Time.UTC().Format(time.RFC3339), What: m.What, Text: m.Text,
			Offset: offset(m.Time.Sub(i.Began)),
		}
		if m.Condition != nil && i.Finding != nil {
			if k := slices.Index(i.Finding.Conditions, *m.Condition); k >= 0 {
				line.Letter = letter(k)
			}
		}
		if m.Change != nil {
			line.By, line.URL = author(m.Change), httpURL(m.Change.URL)
		}
		v.Timeline = append(v.Timeline, line)
	}
}

// author says who made a change, and how Eddy knows.
func author(c *telemetry.Change) string {
	var parts []string
	for _, p := range []string{c.Actor, c.Source, c.Summary} {
		if p != "" {
			parts = append(parts, shorten(p, 120))
		}
	}
	if c.Origin != telemetry.OriginReported && c.Origin != "" {
		parts = append(parts, string(c.Origin))
	}
	return strings.Join(parts, " · ")
}

// httpURL returns address if a browser may follow it, else nothing.
func httpURL(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}

// offset writes how long before or after the first failure something was.
func offset(d time.Duration) string {
	switch {
	case d <= -time.Millisecond:
		return "−" + spell(-d)
	case d >= time.Millisecond:
		return "+" + spell(d)
	}
	return "0"
}

// probability writes a p value; beyond three digits it is only "small".
func probability(p float64) string {
	switch {
	case p < 0.0001:
		return "<\u00a00.0001"
	case p < 0.01:
		return strconv.FormatFloat(p, 'f', 4, 64)
	}
	return strconv.FormatFloat(p, 'f', 2, 64)
}

// unique joins lists and leaves out what was said before.
func unique(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		for _, s := range l {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// pictureNote says what the picture was drawn from.
func pictureNote(c *Confluence) string {
	step := spell(time.Duration(c.StepSeconds) * time.Second)
	note := "Rates count every request, in steps of " + step + "."
	if len(c.Lanes) > 0 {
		note += " Lanes are drawn from " + wording.Plural(c.Observations, "observation") + "."
	}
	if c.Sampled {
		note += " There were more; the first ones of each step stand for the rest."
	}
	if c.ChangesLeft > 0 {
		note += " " + wording.Plural(c.ChangesLeft, "later change") + " not drawn."
	}
	return note
}

// pictureHelp is the picture in one sentence, for those who do not see it.
func pictureHelp(c *Confluence) string {
	var names []string
	for _, l := range c.Lanes {
		names = append(names, l.Condition.String())
	}
	requests, failed := 0, 0
	for _, r := range c.Rates {
		requests, failed = requests+r.Requests, failed+r.Failed
	}
	text := fmt.Sprintf("From %s to %s UTC, %s of %s %s.", c.Window.Start.Format("15:04:05"), c.Window.End.Format("15:04:05"),
		wording.Count(failed), wording.Plural(requests, "request"), c.Outcome)
	if len(names) > 0 {
		text += " Lanes show when " + list(names) + " were in force."
	}
	return text
}
