// Package web serves the API and the embedded pages.
//
// Pages are rendered on the server and can be read without JavaScript; the
// script adds live updates, keys and copying. Nothing is loaded from another
// host, and the content security policy would refuse it.
//
// A Server is safe for concurrent use. It reads through interfaces that it
// owns and never writes, except that it passes change events and the results of
// experiments on to what it was given. What it holds is bounded: the last eventLimit events for
// clients that come back, clientLimit event streams (more are refused with 503
// and Retry-After), and a few pictures. Every question to the store is given
// questionTime. Publish never blocks: a client that does not keep up misses
// events, is told so with a reset event, and is disconnected.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
)

// Config is what a Server needs. Only Records is required.
type Config struct {
	// Records answers all questions about what happened.
	Records Records
	// Changes receives POST /api/v1/changes. Nil answers 503.
	Changes http.Handler
	// Experiments gives an incident the result of an experiment, and returns the
	// incident as it is then. Errors wrap incident.ErrUnknown, incident.ErrOther
	// or store.ErrNotFound. Nil answers 503.
	Experiments func(context.Context, incident.ID, incident.Experiment) (incident.Incident, error)
	// Phases answers the paths of package wire, and checks tokens itself. Nil answers
	// 503.
	Phases http.Handler
	// PhaseReports says how phases are kept to. Nil answers 503.
	PhaseReports PhaseReports
	// Metrics answers GET /metrics. Nil answers 503.
	Metrics http.Handler
	// Coverage says what is known and what is missing, per service. Nil means
	// that nothing is known about it.
	Coverage func() Coverage
	// Health reports whether telemetry can be taken in, and a word on each part.
	// Nil means always ready.
	Health func() (ready bool, detail map[string]string)
	// Graph is who called whom in the last window. Nil, or a nil graph, means
	// that none is known yet.
	Graph func() *graph.Graph
	// Access knows who may read (access.Viewer) and who may report changes
	// (access.Ingest). Nil lets everybody in. Browsers sign in with a token once,
	// and send it as a cookie from then on.
	Access *access.List
	// Hosts are the names, beside IP addresses and localhost, under which the
	// pages are asked for; "*" is every name. Requests for other names are
	// refused, so that a page of another site cannot read a loopback server by
	// pointing its own name at it. Where tokens are required every name is
	// answered: such a page has none to send.
	Hosts []string
	// Receivers are the addresses that take OTLP, shown to those who have not
	// sent any yet.
	Receivers Receivers
	// TraceLinks and IncidentLinks lead to other tools. In the URL, {trace},
	// {incident}, {from} and {to} (Unix milliseconds) are replaced.
	TraceLinks, IncidentLinks []Link
	// Watch is how far back the front page counts requests; default 15 minutes.
	Watch time.Duration
	// Clock is the time for ages and default windows; default time.Now.
	Clock func() time.Time
	// Log gets what went wrong; default slog.Default.
	Log *slog.Logger
	// Registerer gets the server's own figures; nil means none.
	Registerer prometheus.Registerer
}

// Receivers are the addresses of the OTLP receivers, as a client would write
// them: "http://127.0.0.1:4318". Without a scheme, that of the other one is
// meant, or else http. Empty ones are not shown.
type Receivers struct{ GRPC, HTTP string }

// withScheme returns the receivers as URLs.
func (r Receivers) withScheme() Receivers {
	scheme := "http://"
	if strings.HasPrefix(r.GRPC, "https://") || strings.HasPrefix(r.HTTP, "https://") {
		scheme = "https://"
	}
	for _, address := range []*string{&r.GRPC, &r.HTTP} {
		if *address != "" && !strings.Contains(*address, "://") {
			*address = scheme + *address
		}
	}
	return r
}

// A Link leads to another tool: "Jaeger", "http://127.0.0.1:16686/trace/{trace}".
type Link struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
}

// A Server answers requests for pages and the API.
type Server struct {
	config   Config
	pages    map[string]*template.Template
	static   map[string]asset
	document []byte
	feed     *feed
	drawn    *drawn
	metrics  metrics
	handler  http.Handler
}

// New returns a Server. It fails on a Config that cannot be served.
func New(c Config) (*Server, error) {
	if c.Records == nil {
		return nil, errors.New("web records: none given")
	}
	for _, l := range append(append([]Link(nil), c.TraceLinks...), c.IncidentLinks...) {
		u, err := url.Parse(l.URL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || l.Name == "" {
			return nil, fmt.Errorf("web link %q to %q: want a name and an http or https URL", l.Name, l.URL)
		}
	}
	c.Receivers = c.Receivers.withScheme()
	c.Watch = cmp.Or(c.Watch, 15*time.Minute)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, drawn: newDrawn(), metrics: m, feed: newFeed(c.Clock(), m)}
	if s.static, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = parsePages(s.static); err != nil {
		return nil, err
	}
	if s.document, err = loadDocument(); err != nil {
		return nil, err
	}
	if s.handler, err = s.mux(); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler answers all requests; whoever owns the listener gives it to an
// http.Server. Call Close before that server's Shutdown, which waits for
// streams to end.
func (s *Server) Handler() http.Handler { return s.handler }

// Close ends the event streams. Requests that follow are still answered,
// except that new streams end at once.
func (s *Server) Close() { s.feed.close() }

// expand fills the placeholders of a link.
func (l Link) expand(values map[string]string) Link {
	for _, name := range []string{"trace", "incident", "from", "to"} {
		l.URL = strings.ReplaceAll(l.URL, "{"+name+"}", url.QueryEscape(values[name]))
	}
	return l
}
