// Package ingest turns OTLP requests and change events into telemetry,
// redacted and journaled.
//
// A Server receives OTLP over gRPC and HTTP, by the OpenTelemetry Collector's
// own receiver, and change events over HTTP. What arrives goes through five
// steps: it is checked against the bounds, what must not be kept is removed,
// it is written to the journal, it is acknowledged, and it waits in a queue for
// Receive. So nothing that was acknowledged is lost when the process is killed:
// the next Server on the same journal hands it out again, from the position
// that the caller says is stored.
//
// Delivery is at least once. A client that did not hear the acknowledgement
// sends again, and so does a journal after a kill; who stores spans and changes
// leaves out those that it has.
//
// When the queue or the journal is full, or too many requests are under way,
// the answer is ResourceExhausted with a delay (HTTP: 429 with Retry-After),
// and nothing of the request is kept, so a client can send it again without
// harm. When the journal cannot be written it is Unavailable (503). A request
// that exceeds a bound, or holds nothing valid, is refused for good with
// InvalidArgument (400). Of other requests, invalid items are left out and
// counted.
//
// A Server is safe for concurrent use, except that one goroutine at a time may
// call Receive. A Reader reads the same from files.
package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/telemetry"
)

// Options are what a Server needs besides its Config.
type Options struct {
	Logger     *slog.Logger          // nil means none
	Registerer prometheus.Registerer // nil means none
	Tokens     *access.List          // nil or empty means that everyone may send
	// Stored is the highest position that is stored elsewhere. What the journal
	// holds beyond it is handed out again.
	Stored uint64
}

// A Server receives telemetry and changes.
type Server struct {
	cfg     Config
	log     *slog.Logger
	m       *metrics
	tokens  *access.List
	border  *border
	journal *journal
	queue   *queue
	slots   *slots
	seen    *recent // ids of changes

	receiver *receiver

	changesMu sync.Mutex // one request with changes at a time
	handlers  sync.WaitGroup
	stopMu    sync.RWMutex
	stopped   bool // no further handlers start

	next func() (Received, error, bool) // what the journal held, nil once taken
	stop func()
}

// New opens the journal, and checks everything that can be checked before
// listening. The caller must Close the server.
func New(cfg Config, opts Options) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	if cfg.Journal.Dir == "" {
		return nil, errors.New("ingest configuration: journal.dir: missing: want a directory")
	}
	if err := cfg.checkListen(opts.Tokens); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	j, err := openJournal(cfg.Journal, opts.Stored, opts.Logger, m)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: opts.Logger, m: m, tokens: opts.Tokens, journal: j,
		border: newBorder(cfg.Bounds, newRedactor(cfg.Redact), m),
		queue:  newQueue(cfg.Bounds.QueueBytes, m.queueBytes),
		slots:  newSlots(cfg.Bounds.Requests, cfg.Bounds.InflightBytes),
		seen:   newRecent(maxRecent),
	}
	next, stop := iter.Pull2(s.replay(opts.Stored))
	s.next, s.stop = next, stop
	return s, nil
}

// maxRecent is how many ids of changes are remembered, to tell a sender that
// it sent one twice.
const maxRecent = 65_536

// Start listens. When it returns without an error, Addr is true.
func (s *Server) Start(ctx context.Context) error {
	r, err := startReceiver(ctx, s)
	if err != nil {
		return err
	}
	s.receiver = r
	return nil
}

// GRPCAddr returns the address on which OTLP over gRPC is received, or "".
func (s *Server) GRPCAddr() string {
	if s.receiver == nil {
		return ""
	}
	return s.receiver.grpcAddr
}

// HTTPAddr returns the address on which OTLP over HTTP is received, and changes
// at /api/v1/changes, or "".
func (s *Server) HTTPAddr() string {
	if s.receiver == nil {
		return ""
	}
	return s.receiver.httpAddr
}

// Receive waits for the next batch. First come those that the journal held
// when it was opened, beyond the stored position. After Shutdown it returns
// what is left, and then ErrClosed. Positions grow from one call to the next.
func (s *Server) Receive(ctx context.Context) (Received, error) {
	if s.next != nil {
		if err := ctx.Err(); err != nil {
			return Received{}, err
		}
		if r, err, ok := s.next(); ok {
			return r, err
		}
		s.next = nil
	}
	return s.queue.take(ctx)
}

// Release says that everything up to position is stored. The journal may
// forget it.
func (s *Server) Release(position uint64) error { return s.journal.Release(position) }

// Shutdown stops listening, waits until the requests that are under way were
// answered, and then lets Receive return what is left and ErrClosed. If ctx
// ends first, it cuts off the connections that remain and returns the error of
// ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	var err error
	if s.receiver != nil {
		err = s.receiver.shutdown(ctx)
	}
	s.stopMu.Lock()
	s.stopped = true
	s.stopMu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.handlers.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	s.queue.close()
	return err
}

// Close syncs and closes the journal. Call it after Shutdown, when Receive has
// returned ErrClosed and what it gave is stored.
func (s *Server) Close() error {
	s.stop()
	return s.journal.Close()
}

// enter registers a handler, so that Shutdown waits for it. It reports false
// once Shutdown has begun to wait.
func (s *Server) enter() bool {
	s.stopMu.RLock()
	defer s.stopMu.RUnlock()
	if s.stopped {
		return false
	}
	s.handlers.Add(1)
	return true
}

// replay yields what the journal holds after the position stored.
func (s *Server) replay(stored uint64) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		errStop := errors.New("stop")
		err := s.journal.Replay(stored, func(r record) error {
			got, err := s.fromRecord(r)
			if err != nil {
				// The checksum was right, so this is not damage: a newer version
				// may have written it. Keep going: the rest can be read.
				s.log.Error("journal record not understood", "position", r.position, "kind", int(r.kind), "error", err)
				s.m.journalErrors.Inc()
				return nil
			}
			if !yield(got, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Received{}, fmt.Errorf("replay journal: %w", err))
		}
	}
}

// fromRecord builds the batch that a record was journaled for.
func (s *Server) fromRecord(r record) (Received, error) {
	w := s.border.begin(r.at)
	defer w.end()
	var batch telemetry.Batch
	switch r.kind {
	case recordTraces:
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.payload)
		if err != nil {
			return Received{}, err
		}
		batch.Spans = w.traces(td)
	case recordLogs:
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(r.payload)
		if err != nil {
			return Received{}, err
		}
		batch.Logs, batch.Changes = w.logs(ld)
	case recordMetrics:
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(r.payload)
		if err != nil {
			return Received{}, err
		}
		batch.Points = w.points(md)
	case recordChanges:
		if err := json.Unmarshal(r.payload, &batch.Changes); err != nil {
			return Received{}, err
		}
		for _, c := range batch.Changes {
			s.seen.add(c.ID)
			w.saw(uint64(c.Time.UnixNano()))
		}
	default:
		return Received{}, fmt.Errorf("kind %d: want 1 to 4", r.kind)
	}
	got := w.received(batch)
	got.Position = r.position
	return got, nil
}

// now is when a request arrived.
func now() time.Time { return time.Now().UTC() }
