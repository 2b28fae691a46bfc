package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

// Bounds of what one answer holds.
const (
	mostIncidents = 500
	mostChanges   = 2000
	mostTotals    = 20_000
	mostSpans     = 5000
	mostLogs      = 1000
	longestTotals = 48 * time.Hour
	longestWindow = 400 * 24 * time.Hour
)

// query reads the parameters of r.
func (s *Server) query(r *http.Request) *parameters {
	return &parameters{values: r.URL.Query(), now: s.config.Clock().UTC()}
}

func (s *Server) listIncidents(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	limit := q.number("limit", 50, 1, mostIncidents)
	offset := q.number("offset", 0, 0, 1_000_000)
	since := q.moment("since", time.Time{})
	state := q.values.Get("state")
	if state != "" && !slices.Contains([]incident.State{incident.Open, incident.Mitigated, incident.Resolved}, incident.State(state)) {
		q.fail("state", state, "open, mitigated or resolved")
	}
	if q.err != nil {
		return q.err
	}
	var window telemetry.Window
	if !since.IsZero() {
		// An hour beyond now, since emitters' clocks may be ahead of ours.
		window = telemetry.Window{Start: since, End: q.now.Add(time.Hour)}
	}
	found, err := s.config.Records.Incidents(r.Context(), window)
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	if state != "" {
		found = slices.DeleteFunc(found, func(i incident.Incident) bool { return i.State != incident.State(state) })
	}
	total := len(found)
	found = found[min(offset, total):min(offset+limit, total)]
	out := make([]incident.Incident, 0, len(found))
	for _, i := range found {
		out = append(out, filled(i))
	}
	return writeJSON(w, http.StatusOK, struct {
		Incidents []incident.Incident `json:"incidents"`
		Total     int                 `json:"total"`
		Offset    int                 `json:"offset"`
	}{out, total, offset})
}

func (s *Server) getIncident(w http.ResponseWriter, r *http.Request) error {
	i, err := s.incident(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, filled(i))
}

// incident finds the one that the path names.
func (s *Server) incident(r *http.Request) (incident.Incident, error) {
	id := r.PathValue("id")
	i, err := s.config.Records.Incident(r.Context(), incident.ID(id))
	if err != nil {
		// The store's own text may repeat the id, at whatever length it came.
		if errors.Is(err, store.ErrNotFound) {
			err = store.ErrNotFound
		}
		return i, fmt.Errorf("incident %q: %w", shorten(id, 60), err)
	}
	return i, nil
}

// filled returns i with empty lists for absent ones: clients loop over lists
// and should not have to ask for null first.
func filled(i incident.Incident) incident.Incident {
	i.Entries = orEmpty(i.Entries)
	i.Missing = orEmpty(i.Missing)
	i.Timeline = orEmpty(i.Timeline)
	if i.Finding != nil {
		i.Status = statusOf(i)
		f := *i.Finding
		f.Conditions = orEmpty(f.Conditions)
		f.Aliases = orEmpty(f.Aliases)
		f.For, f.Against, f.Missing = orEmpty(f.For), orEmpty(f.Against), orEmpty(f.Missing)
		f.Cells = append([]interaction.Cell{}, f.Cells...)
		for k := range f.Cells {
			f.Cells[k].Holds = orEmpty(f.Cells[k].Holds)
		}
		i.Finding = &f
	}
	return i
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) getConfluence(w http.ResponseWriter, r *http.Request) error {
	i, err := s.incident(r)
	if err != nil {
		return err
	}
	c, err := s.confluence(r.Context(), i)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, c)
}

// A State is a condition in force, and the change that put it there.
type State struct {
	Condition condition.Condition `json:"condition"`
	Instance  string              `json:"instance,omitempty"`
	Since     time.Time           `json:"since"`
	Change    *telemetry.Change   `json:"change"`
}

func (s *Server) listConditions(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	at := q.moment("at", q.now)
	if q.err != nil {
		return q.err
	}
	changes, err := s.config.Records.InForce(r.Context(), at)
	if err != nil {
		return fmt.Errorf("list conditions: %w", err)
	}
	states := make([]State, 0, len(changes))
	for _, c := range changes {
		states = append(states, State{stateOf(c), c.Instance, c.Time, c})
	}
	slices.SortFunc(states, func(a, b State) int {
		if c := condition.Compare(a.Condition, b.Condition); c != 0 {
			return c
		}
		return strings.Compare(a.Instance, b.Instance)
	})
	return writeJSON(w, http.StatusOK, struct {
		At         time.Time `json:"at"`
		Conditions []State   `json:"conditions"`
	}{at, states})
}

// stateOf is the condition that a change puts in force.
func stateOf(c *telemetry.Change) condition.Condition {
	return condition.Condition{Entity: c.Entity, Dimension: c.Dimension, Value: c.Value}
}

func (s *Server) listChanges(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	limit := q.number("limit", 200, 1, mostChanges)
	window := q.window(24*time.Hour, longestWindow)
	if q.err != nil {
		return q.err
	}
	list, more := []*telemetry.Change{}, false
	for c, err := range s.config.Records.Changes(r.Context(), window) {
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		if len(list) == limit {
			more = true
			break
		}
		list = append(list, c)
	}
	return writeJSON(w, http.StatusOK, struct {
		Window  telemetry.Window    `json:"window"`
		Changes []*telemetry.Change `json:"changes"`
		More    bool                `json:"more"`
	}{window, list, more})
}

func (s *Server) postChanges(w http.ResponseWriter, r *http.Request) error {
	if s.config.Changes == nil {
		return errAbsent("change events: not received by this server", "send them to the server that ingests")
	}
	s.config.Changes.ServeHTTP(w, r)
	return nil
}

// askMediator hands over what is about phases.
func (s *Server) askMediator(w http.ResponseWriter, r *http.Request) error {
	if s.config.Phases == nil {
		return errAbsent("phases: this server has no mediator", "start eddy serve with --contracts or --etcd")
	}
	s.config.Phases.ServeHTTP(w, r)
	return nil
}

func (s *Server) listTotals(w http.ResponseWriter, r *http.Request) error {
	q := s.query(r)
	limit := q.number("limit", 5000, 1, mostTotals)
	window := q.window(15*time.Minute, longestTotals)
	entry := request.Entry{Service: q.values.Get("service"), Operation: q.values.Get("operation")}
	if (entry.Service == "") != (entry.Operation == "") {
		q.fail("operation", entry.Operation, "service and operation together, or neither")
	}
	if q.err != nil {
		return q.err
	}
	var entries []request.Entry
	if entry.Service != "" {
		entries = append(entries, entry)
	}
	totals, err := s.config.Records.Totals(r.Context(), window, entries...)
	if err != nil {
		return fmt.Errorf("list totals: %w", err)
	}
	return writeJSON(w, http.StatusOK, struct {
		Window telemetry.Window `json:"window"`
		Totals []pipeline.Total `json:"totals"`
		More   bool             `json:"more"`
	}{window, orEmpty(totals[:min(limit, len(totals))]), len(totals) > limit})
}

// coverage is what the app knows, with lists that are never nil.
func (s *Server) coverage() Coverage {
	var c Coverage
	if s.config.Coverage != nil {
		c = s.config.Coverage()
	}
	services := make([]ServiceCoverage, 0, len(c.Services))
	for _, sc := range c.Services {
		sc.Figures = orEmpty(sc.Figures)
		services = append(services, sc)
	}
	return Coverage{Services: services, Missing: orEmpty(c.Missing)}
}

func (s *Server) getCoverage(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, s.coverage())
}

func (s *Server) getGraph(w http.ResponseWriter, _ *http.Request) error {
	if s.config.Graph != nil {
		if g := s.config.Graph(); g != nil {
			return writeJSON(w, http.StatusOK, g)
		}
	}
	return writeJSON(w, http.StatusOK, struct{}{})
}

func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]bool{"alive": true})
}

func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) error {
	ready, detail := true, map[string]string{}
	if s.config.Health != nil {
		ready, detail = s.config.Health()
	}
	code := http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	return writeJSON(w, code, struct {
		Ready  bool              `json:"ready"`
		Detail map[string]string `json:"detail"`
	}{ready, detail})
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	if s.config.Metrics == nil {
		return errAbsent("metrics: not kept by this server", "run it with metrics to have them")
	}
	s.config.Metrics.ServeHTTP(w, r)
	return nil
}

// loadDocument reads the embedded OpenAPI document. It is written in YAML, for
// people, and served as JSON, for programs.
func loadDocument() ([]byte, error) {
	text, err := embedded.ReadFile("openapi.yaml")
	if err != nil {
		return nil, fmt.Errorf("read API document: %w", err)
	}
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, fmt.Errorf("API document openapi.yaml: %w", err)
	}
	return document, nil
}

func (s *Server) getDocument(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	return writeJSON(w, http.StatusOK, json.RawMessage(s.document))
}
