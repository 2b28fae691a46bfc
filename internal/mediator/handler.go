package mediator

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/phase/wire"
)

const (
	// maxContract bounds a contract file, and maxEntries one answer of the audit
	// log.
	maxContract = 1 << 20
	maxEntries  = 1000
	// beat is how often a silent stream gets a comment, and writeTime how long a
	// client may take to accept what it is sent.
	beat      = time.Second
	writeTime = 10 * time.Second
)

// Handler answers the requests of package wire, below the paths that it names.
// tokens decide who may ask: programs with the role ingest may announce, watch
// and hold leases; people read with viewer, announce with operator and put
// contracts in use with approver. Who asked goes to the audit log; who announced
// is who signed. Nil tokens let everyone ask.
func (m *Mediator) Handler(tokens *access.List) http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, person access.Role, h http.Handler) {
		mux.Handle(pattern, either(tokens, person, h))
	}
	handle("POST "+wire.PathAnnounce, access.Operator, http.HandlerFunc(m.postAnnounce))
	handle("POST "+wire.PathSettled, access.Viewer, answer(func(r *http.Request, q wire.SettledRequest) (any, error) { return m.Settled(r.Context(), q) }))
	handle("POST "+wire.PathConfirm, access.Operator, answer(func(r *http.Request, q wire.ConfirmRequest) (any, error) { return m.Confirm(r.Context(), q) }))
	handle("POST "+wire.PathEnforced, access.Operator, answer(func(r *http.Request, q wire.Enforced) (any, error) {
		return m.Enforced(r.Context(), q, sender(r))
	}))
	handle("POST "+wire.PathLease+"{what}", access.Operator, answer(m.postLease))
	handle("GET "+wire.PathContracts+"/{name}", access.Viewer, http.HandlerFunc(m.getContract))
	handle("GET "+wire.PathSubjects, access.Viewer, http.HandlerFunc(m.getSubjects))
	handle("GET "+wire.PathAudit, access.Viewer, http.HandlerFunc(m.getAudit))
	handle("GET "+wire.PathWatch, access.Viewer, http.HandlerFunc(m.getWatch))
	mux.Handle("POST "+wire.PathContracts, tokens.Require(access.Approver, http.HandlerFunc(m.postContract)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &wire.Error{Code: wire.CodeMalformed, Message: r.Method + " " + r.URL.Path + ": nothing is served there; see docs/phases.md"})
	})
	return mux
}

// either lets programs through, and people with a role.
func either(tokens *access.List, person access.Role, next http.Handler) http.Handler {
	program, other := tokens.Require(access.Ingest, next), tokens.Require(person, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := tokens.Authorize(r.Header.Get("Authorization"), access.Ingest); err == nil {
			program.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// answer reads a question and writes what f says to it.
func answer[Q any](f func(*http.Request, Q) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if err := wire.Read(r.Body, &q); err != nil {
			refuse(w, err)
			return
		}
		v, err := f(r, q)
		if err != nil {
			refuse(w, err)
			return
		}
		write(w, v)
	})
}

// postAnnounce is apart from the others since the audit log also names what
// could not be read.
func (m *Mediator) postAnnounce(w http.ResponseWriter, r *http.Request) {
	var e wire.Envelope
	err := wire.Read(r.Body, &e)
	if why, ok := errors.AsType[*wire.Error](err); ok {
		refuse(w, m.Unreadable(r.Context(), sender(r), why))
		return
	}
	receipt, err := m.Announce(r.Context(), e, sender(r), r.URL.Query().Get("dry_run") == "true")
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, receipt)
}

func (m *Mediator) postLease(r *http.Request, q wire.LeaseRequest) (any, error) {
	switch r.PathValue("what") {
	case "acquire":
		return m.Acquire(r.Context(), q, sender(r))
	case "renew":
		return m.Renew(r.Context(), q)
	case "resign":
		return struct{}{}, m.Resign(r.Context(), q, sender(r))
	}
	return nil, &wire.Error{Code: wire.CodeMalformed, Message: "lease: want acquire, renew or resign"}
}

func (m *Mediator) postContract(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxContract))
	if err != nil {
		refuse(w, &wire.Error{Code: wire.CodeOversized, Message: err.Error()})
		return
	}
	file := path.Base(r.URL.Query().Get("file"))
	c, err := m.AddContract(r.Context(), file, text, sender(r))
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, map[string]string{"contract": c.ID(), "sha256": c.Digest()})
}

func (m *Mediator) getContract(w http.ResponseWriter, r *http.Request) {
	text, err := m.Contract(r.Context(), r.PathValue("name"))
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Eddy-Cluster", m.config.Cluster)
	_, _ = w.Write(text) // a client that left has nobody to tell
}

func (m *Mediator) getSubjects(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	list, err := m.Subjects(r.Context(), q.Get("contract"), q.Get("select"))
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, map[string]any{"subjects": list})
}

func (m *Mediator) getAudit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := number(q.Get("after"))
	if err != nil {
		refuse(w, &wire.Error{Code: wire.CodeMalformed, Message: "after: want a sequence number"})
		return
	}
	entries, err := m.Audit(r.Context(), after, maxEntries, q.Get("subject"))
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, map[string]any{"entries": append([]wire.Entry{}, entries...)})
}

// getWatch streams records as server-sent events. The id of each is a revision,
// from which a client that comes back goes on with Last-Event-ID.
func (m *Mediator) getWatch(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, err := number(r.Header.Get("Last-Event-ID"))
	if err != nil {
		from = 0 // everything, since it is not known what the client has
	}
	control := http.NewResponseController(w)
	begun := false
	send := func(text []byte) error {
		if !begun {
			begun = true
			h := w.Header()
			h.Set("Content-Type", "text/event-stream")
			h.Set("Cache-Control", "no-store")
			h.Set("X-Accel-Buffering", "no")
		}
		if err := control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		return control.Flush()
	}
	err = m.Watch(r.Context(), q.Get("contract"), q.Get("select"), int64(from), func(revision int64, changed []*News) error {
		return send(events(revision, changed))
	})
	if err != nil && !begun {
		refuse(w, err)
	}
}

// events writes news as events. Without any it is a comment, which keeps the
// connection and shows that it is alive.
func events(revision int64, changed []*News) []byte {
	switch len(changed) {
	case 0:
		return []byte(": at " + strconv.FormatInt(revision, 10) + "\n\n")
	case 1:
		return changed[0].event
	}
	var text []byte
	for _, n := range changed {
		text = append(text, n.event...)
	}
	return text
}

func number(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseUint(s, 10, 63)
}

// sender is who asks, by the token that they showed.
func sender(r *http.Request) string {
	who, _ := access.From(r.Context())
	return who.Name
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that left has nobody to tell
}

// refuse writes an error in the shape of all of Eddy's.
func refuse(w http.ResponseWriter, err error) {
	why, ok := errors.AsType[*wire.Error](err)
	if !ok {
		why = &wire.Error{Code: wire.CodeUnavailable, Message: err.Error()}
	}
	status := map[string]int{
		wire.CodeMalformed: http.StatusBadRequest, wire.CodeOversized: http.StatusRequestEntityTooLarge,
		wire.CodeContract: http.StatusUnprocessableEntity, wire.CodeTransition: http.StatusUnprocessableEntity,
		wire.CodeAudience: http.StatusForbidden, wire.CodeNotAllowed: http.StatusForbidden,
		wire.CodeBadSignature: http.StatusUnauthorized, wire.CodeKeyExpired: http.StatusUnauthorized, wire.CodeStale: http.StatusUnauthorized,
		wire.CodeTooMany: http.StatusTooManyRequests, wire.CodeNotActive: http.StatusServiceUnavailable, wire.CodeUnavailable: http.StatusServiceUnavailable,
	}[why.Code]
	if status == 0 {
		status = http.StatusConflict
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": struct {
		Status int `json:"status"`
		*wire.Error
		Hint string `json:"hint"`
	}{status, why, hint(why.Code)}}) // a client that left has nobody to tell
}

// hint says what to do about a refusal.
func hint(code string) string {
	switch code {
	case wire.CodeMalformed:
		return "send what /api/v1/openapi.json says"
	case wire.CodeOversized:
		return "send less"
	case wire.CodeContract:
		return "read the current version of the contract, or put one in use"
	case wire.CodeAudience:
		return "sign for the cluster that the header Eddy-Cluster of the contract names"
	case wire.CodeBadSignature, wire.CodeKeyExpired, wire.CodeNotAllowed:
		return "sign with a key of the contract that is valid and may announce this"
	case wire.CodeStale:
		return "sign it anew, and look at the clock"
	case wire.CodeTransition:
		return "take one of the contract's transitions"
	case wire.CodeEpochMismatch:
		return "read the subject, and decide anew"
	case wire.CodeHeld:
		return "find out why the subject goes back and forth"
	case wire.CodeGuardFalse:
		return "make true what the guard asks for"
	case wire.CodeFenceStale:
		return "acquire the lease first"
	default: // it passes with time
		return "try again in a moment"
	}
}
