package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"example.test/eddy/internal/access"
	"example.test/eddy/phase/wire"
)

// questionTime bounds how long one request may keep the store busy.
const questionTime = 20 * time.Second

// A route is one line of the server's table of contents.
type route struct {
	method, path string
	role         access.Role // who may ask; empty means anybody
	kind         kind
	serve        handler
}

// A kind decides how errors are written and what wraps the handler.
type kind uint8

const (
	data   kind = iota // JSON, compressed, bounded in time
	page               // HTML, compressed, bounded in time
	stream             // written for as long as the client stays
)

// routes is everything that is served.
func (s *Server) routes() []route {
	const viewer, operator, ingest = access.Viewer, access.Operator, access.Ingest
	return []route{
		{"GET", "/{$}", viewer, page, s.front},
		{"GET", "/incidents/{id}", viewer, page, s.incidentPage},
		{"GET", "/phases", viewer, page, s.phasesPage},
		{"GET", "/traces/{id}", viewer, page, s.tracePage},
		{"GET", "/signin", "", page, s.signinPage},
		{"POST", "/signin", "", page, s.signin},
		{"GET", "/static/{name}", "", page, s.asset},

		{"GET", "/api/v1/incidents", viewer, data, s.listIncidents},
		{"GET", "/api/v1/incidents/{id}", viewer, data, s.getIncident},
		{"GET", "/api/v1/incidents/{id}/confluence", viewer, data, s.getConfluence},
		{"POST", "/api/v1/incidents/{id}/experiments", operator, data, s.postExperiment},
		{"GET", "/api/v1/traces/{id}", viewer, data, s.getTrace},
		{"GET", "/api/v1/conditions", viewer, data, s.listConditions},
		{"GET", "/api/v1/changes", viewer, data, s.listChanges},
		{"POST", "/api/v1/changes", ingest, data, s.postChanges},
		{"GET", "/api/v1/totals", viewer, data, s.listTotals},
		{"GET", "/api/v1/coverage", viewer, data, s.getCoverage},
		{"GET", "/api/v1/graph", viewer, data, s.getGraph},
		{"GET", "/api/v1/phase/report", viewer, data, s.getPhaseReport},
		// The mediator asks for tokens itself: programs may do what people need a role for.
		{"GET", wire.PathSubjects, "", stream, s.askMediator},
		{"GET", wire.PathWatch, "", stream, s.askMediator},
		{"GET", wire.PathAudit, "", stream, s.askMediator},
		{"GET", wire.PathContracts + "/{name}", "", stream, s.askMediator},
		{"POST", wire.PathContracts, "", stream, s.askMediator},
		{"POST", wire.PathAnnounce, "", stream, s.askMediator},
		{"POST", wire.PathEnforced, "", stream, s.askMediator},
		{"POST", wire.PathSettled, "", stream, s.askMediator},
		{"POST", wire.PathConfirm, "", stream, s.askMediator},
		{"POST", wire.PathLease + "{what}", "", stream, s.askMediator},
		{"GET", "/api/v1/events", viewer, stream, s.streamEvents},
		{"GET", "/api/v1/openapi.json", "", data, s.getDocument},

		{"GET", "/healthz", "", data, s.getHealth},
		{"GET", "/readyz", "", data, s.getReady},
		{"GET", "/metrics", viewer, stream, s.getMetrics},
	}
}

// Routes lists what is served, as "METHOD /path", sorted.
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.routes() {
		list = append(list, r.method+" "+strings.TrimSuffix(r.path, "{$}"))
	}
	slices.Sort(list)
	return list
}

// mux puts the routes behind what all of them share.
func (s *Server) mux() (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(2048))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	routes := s.routes()
	for _, rt := range routes {
		h := s.answer(rt.kind, rt.path, s.require(rt.role, rt.serve))
		if rt.kind != stream {
			h = compress(bounded(h))
		}
		mux.Handle(rt.method+" "+rt.path, h)
	}
	mux.Handle("/", s.answer(data, "/", func(w http.ResponseWriter, r *http.Request) error {
		return s.lost(mux, w, r)
	}))
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(s.answer(data, "/", func(http.ResponseWriter, *http.Request) error { return errOtherOrigin }))
	return s.protect(crossOrigin.Handler(mux)), nil
}

// lost answers requests that no route takes: 405 where another method would
// have been right, else 404.
func (s *Server) lost(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{"GET", "POST"} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return errMethod(r.Method, allowed)
	}
	return errNoRoute(r.URL.Path)
}

// bounded gives the handler's questions an end.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), questionTime)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
