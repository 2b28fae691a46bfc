package web

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// phaseView is one phase failure on a page.
type phaseView struct {
	Code, Name, Origin, OriginTitle, Where, Text string
	For, Against, Missing                        []string
	Traces                                       []traceLink
}

// viewPhase shows a phase failure; its traces lead back to the incident.
func viewPhase(f conformance.Finding, i incident.Incident) phaseView {
	v := phaseView{
		Code: string(f.Code), Name: f.Name, Origin: string(f.Origin), OriginTitle: originTitle(f.Origin),
		Where: strings.TrimSpace(f.Contract + " " + f.Subject), Text: strings.TrimPrefix(f.Text, f.Name+": "), For: f.For, Against: f.Against, Missing: f.Missing,
	}
	for _, t := range f.Traces {
		link := traceLink{t.String()[:8], "/traces/" + t.String()}
		if i.ID != "" {
			link.URL += "?incident=" + string(i.ID)
		}
		v.Traces = append(v.Traces, link)
	}
	return v
}

func originTitle(o conformance.Origin) string {
	if o == conformance.Inferred {
		return "Nobody announced these phases: they are read from what was reported of the instances and from what their callers did."
	}
	return "The phases were announced."
}

// phasesView is what the page about phases shows.
type phasesView struct {
	Title      string
	Window     string
	Subject    string
	Indicators []indicatorRow
	Figures    []phaseFigure
	Findings   []phaseView
	Timelines  []timelineView
	Splits     []splitView
	Overlaps   []overlapView
	Met        []string
	Twice      []string
	More       string
	Queries    []copyable
}

type indicatorRow struct {
	Name, Origin                    string
	M1, M2, M5, M6, M7              string
	Harm                            bool
	MismatchTitle, PropagationTitle string
}

type phaseFigure struct{ Name, Value string }

type timelineView struct {
	Subject, Origin, By string
	Phases              []heldLine
}

type heldLine struct {
	Time, Phase, Text string
	Harm              bool
}

type splitView struct {
	Text  string
	Lines []string
}

type overlapView struct {
	Text  string
	Lines []string
}

// reportWindow is what the page looks at.
const reportWindow = 15 * time.Minute

func (s *Server) phasesPage(w http.ResponseWriter, r *http.Request) error {
	if s.config.PhaseReports == nil {
		return errNoPhases()
	}
	now := s.config.Clock().UTC()
	subject := r.URL.Query().Get("subject")
	report := s.config.PhaseReports.Detailed(reportWindow, now, subject)
	v := viewPhases(report, now)
	v.Subject = subject
	v.Queries = []copyable{apiQuery(r, "/api/v1/phase/report?window=15m&detail=true")}
	return s.render(w, r, http.StatusOK, "phases", v)
}

func viewPhases(r conformance.Report, now time.Time) phasesView {
	v := phasesView{Title: "Phases agree", Window: spell(reportWindow)}
	switch n := len(r.Findings); {
	case len(r.Indicators) == 0 && n == 0:
		v.Title = "No phases are on record"
	case r.Failed():
		v.Title = "Phases do not agree"
	}
	for _, k := range r.Indicators {
		v.Indicators = append(v.Indicators, indicatorRow{
			Name: k.Contract, Origin: string(k.Origin), M1: shareText(k.M1), M2: shareText(k.M2), M5: k.M5.String(),
			M6: wording.Count(k.M6), M7: wording.Count(k.M7), Harm: k.M1.Known && k.M1.Part > 0,
			MismatchTitle:    fmt.Sprintf("%s tolerated; %s say what they believe", wording.Count(int(k.Tolerated.Part)), wording.Percent(k.M1.Coverage)),
			PropagationTitle: "95 %: " + k.P95.String() + "; longest: " + k.Worst.String(),
		})
	}
	if len(r.Indicators) > 0 || r.M3.Of > 0 || r.M4.Part > 0 {
		v.Figures = figures(r)
	}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, viewPhase(f, incident.Incident{}))
	}
	if r.Detail != nil {
		v.detail(*r.Detail, now)
	}
	return v
}

// figures are the indicators that belong to no contract.
func figures(r conformance.Report) []phaseFigure {
	schema := shareText(r.M4)
	if r.M4.Part > 0 {
		schema += fmt.Sprintf(", %.0f of them forbidden by a contract", r.Explained)
	}
	list := []phaseFigure{
		{"M3 duplicates", shareText(r.M3)},
		{"M4 schema errors", schema},
		{"M8 pages", fmt.Sprintf("%d this month, %d in 30 days, of %d", r.M8.Month, r.M8.Trailing, r.M8.All)},
	}
	if b := r.M9; b.Known {
		list = append(list, phaseFigure{"M9 budget", fmt.Sprintf("%.1f to %.1f %% used by phase flips since %s, of %.0f requests at an objective of %g %%; burn %.1f in 5 min, %.1f in 1 h",
			100*b.Low, 100*b.High, b.Since.UTC().Format(time.DateTime), b.Requests, 100*b.Objective, b.Burn5m, b.Burn1h)})
	}
	return list
}

func shareText(s conformance.Share) string {
	switch {
	case s.Known:
		return fmt.Sprintf("%s of %s (%s)", wording.Count(int(s.Part)), wording.Count(int(s.Of)), wording.Percent(s.Ratio()))
	case s.Of > 0:
		return "n/a: only " + wording.Percent(s.Coverage) + " say what they believe"
	}
	return "n/a"
}

// detail adds timelines, splits and overlaps.
func (v *phasesView) detail(d conformance.Detail, now time.Time) {
	for _, t := range d.Timelines {
		line := timelineView{Subject: t.Subject, Origin: string(t.Origin), By: cmp.Or(t.Contract, t.Source)}
		for _, h := range t.Spans {
			line.Phases = append(line.Phases, viewHeld(h, now))
		}
		v.Timelines = append(v.Timelines, line)
	}
	for _, s := range d.Splits {
		x := splitView{Text: fmt.Sprintf("%s of %s at %s: one or more never learnt of it", s.Phase, s.Subject, moment(s.From, now))}
		if !s.To.IsZero() {
			x.Text = fmt.Sprintf("%s of %s at %s: all by %s later", s.Phase, s.Subject, moment(s.From, now), spell(s.To.Sub(s.From)))
		}
		for _, c := range s.Consumers {
			x.Lines = append(x.Lines, lateText(c))
		}
		v.Splits = append(v.Splits, x)
	}
	for _, o := range d.Overlaps {
		x := overlapView{Text: fmt.Sprintf("%s (%s): %d and %d both wrote from %s to %s", o.Subject, o.Origin, o.Older, o.Younger, moment(o.From, now), moment(o.To, now))}
		for _, w := range o.Writes {
			x.Lines = append(x.Lines, w.String()+traceNote(w.Trace))
		}
		v.Overlaps = append(v.Overlaps, x)
	}
	for _, m := range d.Met {
		v.Met = append(v.Met, fmt.Sprintf("%s: %s believed %s and did %s in %s %.0f times, %.0f of them did not fit (%s to %s)",
			m.Contract, m.Role, m.Believed, m.Action, m.Actual, m.N, m.Misfits, wording.Percent(m.Low), wording.Percent(m.High)))
	}
	for _, j := range d.Duplicates {
		var by []string
		for _, c := range j.Commits {
			by = append(by, c.By+" at "+moment(c.Time, now))
		}
		v.Twice = append(v.Twice, j.Job+": "+strings.Join(by, ", "))
	}
	if d.Left > 0 {
		v.More = wording.Plural(d.Left, "subject") + " more: name one in the address with ?subject="
	}
}

func traceNote(t telemetry.TraceID) string {
	if t.IsZero() {
		return ""
	}
	return ", trace " + t.String()
}

func moment(t, now time.Time) string {
	if t.IsZero() {
		return "before"
	}
	return clock(t, now)
}

func viewHeld(h conformance.Held, now time.Time) heldLine {
	l := heldLine{Time: moment(h.Announced, now), Phase: h.Phase, Harm: h.Misfits > 0}
	switch {
	case h.Epoch == 0:
	case h.Announced.IsZero():
		l.Time, l.Text = moment(h.Enforced, now), fmt.Sprintf("epoch %d, not announced", h.Epoch)
	case h.Enforced.IsZero():
		l.Text = fmt.Sprintf("epoch %d, not in force on record", h.Epoch)
	default:
		l.Text = fmt.Sprintf("epoch %d, in force %s later", h.Epoch, spell(h.Enforced.Sub(h.Announced)))
	}
	if h.Misfits > 0 {
		l.Text = strings.TrimPrefix(l.Text+", "+wording.Plural(h.Misfits, "arrival")+" that it does not take", ", ")
	}
	return l
}

func lateText(c conformance.Late) string {
	name := c.Who()
	took := spell(time.Duration(c.Seconds * float64(time.Second)))
	switch {
	case c.Sent > 0:
		return fmt.Sprintf("%s: %s, the last %s after, %d broke", name, wording.Plural(c.Sent, "call"), took, c.Broken)
	case c.Learnt.IsZero():
		return name + ": never learnt of it"
	}
	return name + ": for " + took
}
