package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.test/eddy/internal/telemetry"
)

// changesPath is where changes are received on the OTLP HTTP address.
const changesPath = "/api/v1/changes"

// maxChangesBytes bounds a request with changes. A change has some hundred
// bytes.
const maxChangesBytes = 4 << 20

// Changes returns the handler for POST /api/v1/changes. It does not ask for a
// token: wrap it with access.List.Require. It answers
// {"accepted": n, "duplicates": n} once the changes are journaled, all of a
// request or none of it, or else {"error": {"status", "code", "message",
// "hint", ...}}:
//
//	400  not understood, or a field is wrong; "item" and "field" say which
//	413  larger than 4 MiB
//	415  another content type
//	422  a CloudEvent of a type that is no change; "known" lists those that are
//	429  no room now; Retry-After says when to send again
//	503  the journal cannot be written, or the server is stopping
//
// docs/changes.md shows every accepted form.
func (s *Server) Changes() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			refuseWith(w, failure{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: r.Method + ": want POST", Hint: "use POST"})
			return
		}
		if !s.enter() {
			refuseChanges(w, retryable(codes.Unavailable, "the server is stopping: send again later"))
			return
		}
		defer s.handlers.Done()
		changes, err := readChanges(w, r)
		if err != nil {
			s.m.refused.WithLabelValues(string(signalChanges), "invalid").Inc()
			refuseChanges(w, err)
			return
		}
		accepted, duplicates, err := s.consumeChanges(changes)
		if err != nil {
			refuseChanges(w, err)
			return
		}
		answer(w, http.StatusOK, struct {
			Accepted   int `json:"accepted"`
			Duplicates int `json:"duplicates"`
		}{accepted, duplicates})
	})
}

// Report takes one change in from this process, as if it had been sent. The same
// id counts once.
func (s *Server) Report(c *telemetry.Change) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.handlers.Done()
	_, _, err := s.consumeChanges([]*telemetry.Change{c})
	return err
}

// errMedia says that the content type of a request is none that is read.
var errMedia = errors.New("content type")

// readChanges reads a request in any of the accepted forms.
func readChanges(w http.ResponseWriter, r *http.Request) ([]*telemetry.Change, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChangesBytes))
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Ce-Specversion") != "" {
		return binaryEvent(r.Context(), r.Header, body)
	}
	media := "application/json"
	if ct := r.Header.Get("Content-Type"); ct != "" {
		if media, _, err = mime.ParseMediaType(ct); err != nil {
			return nil, fmt.Errorf("%w %q: %w", errMedia, ct, err)
		}
	}
	switch media {
	case "application/cloudevents+json", "application/cloudevents-batch+json":
		return parseEvents(body)
	case "application/json", "application/x-www-form-urlencoded":
		// The second is what curl says when it is told nothing.
		return ParseChanges(body, now())
	}
	return nil, fmt.Errorf("%w %q: want application/json, application/cloudevents+json, application/cloudevents-batch+json, or ce- headers", errMedia, media)
}

// binaryEvent reads a CloudEvent in binary mode: attributes in headers, data in
// the body.
func binaryEvent(ctx context.Context, header http.Header, body []byte) ([]*telemetry.Change, error) {
	e, err := binding.ToEvent(ctx, cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body))))
	if err != nil {
		return nil, wrong("", "no valid CloudEvent in ce- headers: %s", sortedLines(err))
	}
	c, err := changeFromEvent(e)
	if err != nil {
		return nil, err
	}
	return []*telemetry.Change{c}, nil
}

// A failure says why an answer is no success, and what to do. It is written
// under the key "error".
type failure struct {
	Status  int      `json:"status"`
	Code    string   `json:"code"` // for programs
	Message string   `json:"message"`
	Hint    string   `json:"hint"`
	Item    *int     `json:"item,omitempty"`
	Field   string   `json:"field,omitempty"`
	Known   []string `json:"known,omitempty"`
}

// refuseChanges is the one place that knows what an error about changes means
// in HTTP.
func refuseChanges(w http.ResponseWriter, err error) {
	var (
		change  *ChangeError
		unknown *UnknownTypeError
		large   *http.MaxBytesError
	)
	const forms = "docs/changes.md shows every accepted form"
	f := failure{Status: http.StatusBadRequest, Code: "bad_change", Message: err.Error(), Hint: "correct it and send all of the request again; " + forms}
	switch {
	case errors.As(err, &change):
		f.Item, f.Field = &change.Item, change.Field
	case errors.As(err, &unknown):
		f.Status, f.Code, f.Item, f.Known = http.StatusUnprocessableEntity, "unknown_type", &unknown.Item, unknown.Known
	case errors.As(err, &large):
		f.Status, f.Code = http.StatusRequestEntityTooLarge, "too_large"
		f.Message = fmt.Sprintf("request: more than %d bytes", large.Limit)
		f.Hint = "send fewer changes at a time"
	case errors.Is(err, errMedia):
		f.Status, f.Code, f.Hint = http.StatusUnsupportedMediaType, "content_type", forms
	default:
		st, ok := status.FromError(err)
		if !ok {
			break
		}
		f.Status, f.Code, f.Message = http.StatusServiceUnavailable, "unavailable", st.Message()
		if st.Code() == codes.ResourceExhausted {
			f.Status, f.Code = http.StatusTooManyRequests, "no_room"
		}
		seconds := strconv.Itoa(int(retryAfter.Seconds()))
		f.Hint = "send it again after " + seconds + " s; nothing of it was kept"
		w.Header().Set("Retry-After", seconds)
	}
	refuseWith(w, f)
}

func refuseWith(w http.ResponseWriter, f failure) {
	answer(w, f.Status, struct {
		Error failure `json:"error"`
	}{f})
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// The sender may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}
