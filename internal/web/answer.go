package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/store"
)

// A handler answers a request or returns why it could not. Only answer turns
// errors into responses, so no page or endpoint decides on a status by itself.
type handler func(w http.ResponseWriter, r *http.Request) error

// A problem is an error that says what to do about it. It is also the shape of
// every error of the API, under the key "error".
type problem struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Hint is what the caller can do.
	Hint string `json:"hint"`
}

func (p *problem) Error() string { return p.Message }

// errOtherOrigin refuses what another site's page makes a browser send.
var errOtherOrigin = &problem{
	http.StatusForbidden, "other_origin", "request from another origin: refused, since it would change state",
	"send it from this server's own pages, or from a program that sets no Origin header",
}

// errStopping refuses streams while the server is going down.
var errStopping = &problem{
	http.StatusServiceUnavailable, "stopping", "event stream: the server is stopping", "connect again in a few seconds",
}

func errNoRoute(path string) error {
	return &problem{
		http.StatusNotFound, "not_found", fmt.Sprintf("path %q: nothing is served there", shorten(path, 120)),
		"see /api/v1/openapi.json for what is served, or begin at /",
	}
}

func errMethod(method string, allowed []string) error {
	return &problem{
		http.StatusMethodNotAllowed, "method_not_allowed", fmt.Sprintf("method %s: not served at this path", shorten(method, 20)),
		"use " + strings.Join(allowed, " or "),
	}
}

func errParameter(name, value, want string) error {
	return &problem{
		http.StatusBadRequest, "bad_parameter", fmt.Sprintf("parameter %s=%q: want %s", name, shorten(value, 80), want),
		"correct the parameter, or leave it out for the default",
	}
}

func errAbsent(what, hint string) error {
	return &problem{http.StatusServiceUnavailable, "absent", what, hint}
}

// status is the one place that knows what an error means in HTTP.
func status(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	switch {
	case errors.Is(err, access.ErrNoToken), errors.Is(err, access.ErrWrongToken):
		return &problem{
			http.StatusUnauthorized, "unauthorized", err.Error(),
			"sign in at /signin, or send a token that this server was given",
		}
	case errors.Is(err, access.ErrForbidden):
		return &problem{http.StatusForbidden, "forbidden", err.Error(), "use a token with the role that is needed"}
	case errors.Is(err, store.ErrNotFound):
		return &problem{
			http.StatusNotFound, "not_found", err.Error(),
			"it may be older than the retention of its kind; see the list for what is kept",
		}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{
			http.StatusGatewayTimeout, "timeout", "question to the store: no answer within " + questionTime.String(),
			"ask for a shorter window, or again when the server is less busy",
		}
	case errors.Is(err, context.Canceled):
		// 499 is nginx's word for a client that left; nobody reads the answer.
		return &problem{499, "canceled", "request: given up by the client", "ask again"}
	}
	return &problem{
		http.StatusInternalServerError, "internal", "answer: something went wrong on the server",
		"the server's log says what; if it happens again, please report it",
	}
}

// answer serves with h and writes the error that it returns, as a page where
// the route or the caller asks for one, else as JSON.
func (s *Server) answer(k kind, path string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &witness{ResponseWriter: w}
		err := h(seen, r)
		if err != nil {
			s.refuse(seen, r, k, err)
		}
		s.metrics.served(path, seen.code(), time.Since(began))
	})
}

// refuse writes an error. Once a response has begun, it can only be logged.
func (s *Server) refuse(w *witness, r *http.Request, k kind, err error) {
	p := status(err)
	if p.Status >= 500 && p.Code == "internal" {
		s.config.Log.ErrorContext(r.Context(), "request could not be answered",
			"method", r.Method, "path", r.URL.Path, "error", err)
	}
	if w.status != 0 {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="eddy"`)
		if k == page && s.askToken(w, r, p) {
			return
		}
	}
	if k == page || (!strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")) {
		if err := s.render(w, r, p.Status, "problem", problemPage{Title: problemTitle(p.Status), problem: *p}); err == nil {
			return
		}
	}
	if err := writeJSON(w, p.Status, map[string]*problem{"error": p}); err != nil {
		s.config.Log.WarnContext(r.Context(), "error could not be written", "error", err)
	}
}

func problemTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not here"
	case http.StatusInternalServerError:
		return "That went wrong"
	}
	return http.StatusText(status)
}

// writeJSON writes v. It encodes before it writes, so a value that cannot be
// encoded still becomes a proper error.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("answer as JSON: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// A witness remembers the status of a response.
type witness struct {
	http.ResponseWriter
	status int
}

func (w *witness) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *witness) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *witness) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
