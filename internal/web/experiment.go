package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/wording"
)

// maxExperiment bounds what is read of the result of an experiment.
const maxExperiment = 1 << 20

// postExperiment takes the result of an experiment about an incident's finding.
func (s *Server) postExperiment(w http.ResponseWriter, r *http.Request) error {
	if s.config.Experiments == nil {
		return errAbsent("experiments: not recorded by this server", "send them to the server that keeps the incident")
	}
	var e incident.Experiment
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExperiment))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return errExperiment(err)
	}
	if err := e.Validate(); err != nil {
		return errExperiment(err)
	}
	e.By = ""
	if who, ok := access.From(r.Context()); ok && !s.config.Access.Open() {
		e.By = who.Name
	}
	id := r.PathValue("id")
	i, err := s.config.Experiments(r.Context(), incident.ID(id), e)
	switch {
	case errors.Is(err, incident.ErrOther):
		return &problem{http.StatusConflict, "other_finding", shorten(err.Error(), 300), "read the incident again, and ask about what explains it now"}
	case errors.Is(err, store.ErrNotFound), errors.Is(err, incident.ErrUnknown):
		return fmt.Errorf("incident %q: %w", shorten(id, 60), store.ErrNotFound)
	case err != nil:
		return fmt.Errorf("record experiment: %w", err)
	}
	return writeJSON(w, http.StatusOK, filled(i))
}

func errExperiment(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &problem{http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("experiment: more than %d bytes", maxExperiment), "send fewer places"}
	}
	return &problem{http.StatusBadRequest, "bad_experiment", shorten(err.Error(), 300), "send what the API document describes as NewExperiment"}
}

// experimentView is what the page shows of the experiment that an incident's
// status rests on.
type experimentView struct {
	Status, Title, Facts string
	// Older says that it is about conditions that no longer are the finding's.
	Older string
	Rows  []armRow
}

// armRow is one combination, at one place in the ranges of what is not known.
type armRow struct {
	Badges              []badge
	Place, Label        string
	N, Harmed           string
	Risk, Interval      string
	Left, Width, Middle string
	Harm                bool
}

// mostPlaces is how many places are drawn; the API has all.
const mostPlaces = 6

func viewExperiment(i incident.Incident, now time.Time) *experimentView {
	e := i.Experiment()
	if e == nil {
		if n := len(i.Experiments); n > 0 {
			return &experimentView{Older: fmt.Sprintf("%s on record, about conditions that no longer explain this incident: %s.", wording.Plural(n, "experiment"), i.Experiments[n-1].Sentence())}
		}
		return nil
	}
	v := &experimentView{Status: string(e.Status), Title: statusTitle(e.Status)}
	where := "Simulated with the system of " + e.System
	if e.Live {
		where = "Made live by " + e.System
	}
	v.Facts = fmt.Sprintf("%s. A run is harmed if %s. Recorded at %s UTC", where, e.Harm, clock(e.Time, now))
	if e.By != "" {
		v.Facts += " by " + e.By
	}
	v.Facts += "."
	if left := len(e.Places) - mostPlaces; left > 0 {
		v.Facts += fmt.Sprintf(" %s in the API.", wording.Plural(left, "more place"))
	}
	for _, p := range e.Places[:min(len(e.Places), mostPlaces)] {
		for _, a := range p.Arms {
			v.Rows = append(v.Rows, viewArm(i, p, a))
		}
	}
	return v
}

func viewArm(i incident.Incident, p incident.Place, a incident.Arm) armRow {
	row := armRow{
		N: wording.Count(a.N), Harmed: wording.Count(a.Harmed), Risk: wording.Percent(a.Risk), Interval: between(a.Low, a.High),
		Left: share(a.Low, 1), Width: share(max(a.High-a.Low, 0.005), 1), Middle: share(a.Risk, 1), Harm: a.Harmed > 0,
	}
	var held []string
	for k, c := range i.Finding.Conditions {
		holds := slices.Contains(a.Holds, c.String())
		row.Badges = append(row.Badges, badge{letter(k), holds})
		if holds {
			held = append(held, letter(k))
		}
	}
	row.Label = "none on"
	if len(held) > 0 {
		row.Label = list(held) + " on"
	}
	var values []string
	for name, n := range p.Values {
		values = append(values, fmt.Sprintf("%s=%d", name, n))
	}
	slices.Sort(values)
	row.Place = strings.Join(values, ", ")
	return row
}

// statusTitle explains a status.
func statusTitle(s incident.Status) string {
	return map[incident.Status]string{
		incident.Observed:  "Observed: seen in traffic, not yet confirmed by an experiment.",
		incident.Confirmed: "Confirmed: an experiment shows that exactly these conditions do the harm, each of them needed.",
		incident.Refuted:   "Refuted: an experiment shows that it is not just these conditions.",
		incident.Unsettled: "Unsettled: an experiment could not tell: it depends on what is not known, or the runs were too few.",
	}[s]
}
