package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.test/eddy/internal/telemetry"
)

// errBusy says that there is no room now; the request may be sent again.
var errBusy = errors.New("ingest queue full")

// retryAfter is the delay that a sender is told when there is no room. The
// queue is taken from every few milliseconds, so a short one is enough; HTTP
// knows whole seconds only.
const retryAfter = 2 * time.Second

// consumeTraces is called by the receiver with each traces request. When it
// returns nil, the request is acknowledged.
func (s *Server) consumeTraces(ctx context.Context, td ptrace.Traces) error {
	return s.consume(ctx, signalSpans, recordTraces, func(w *walk) telemetry.Batch {
		return telemetry.Batch{Spans: w.traces(td)}
	}, func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(td) })
}

func (s *Server) consumeLogs(ctx context.Context, ld plog.Logs) error {
	return s.consume(ctx, signalLogs, recordLogs, func(w *walk) telemetry.Batch {
		logs, changes := w.logs(ld)
		return telemetry.Batch{Logs: logs, Changes: changes}
	}, func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(ld) })
}

func (s *Server) consumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	return s.consume(ctx, signalPoints, recordMetrics, func(w *walk) telemetry.Batch {
		return telemetry.Batch{Points: w.points(md)}
	}, func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md) })
}

// consume takes a request through the steps: check and redact, journal, queue.
func (s *Server) consume(ctx context.Context, sig signal, kind recordKind, read func(*walk) telemetry.Batch, encode func() ([]byte, error)) error {
	reached(ctx)
	// Reading a request costs much more than this, so look for room first.
	if s.queue.full(1) {
		return s.refuse(sig, errBusy)
	}
	at := now()
	w := s.border.begin(at)
	batch := read(w)
	w.end()
	w.count(sig)
	got := w.received(batch)
	if got.Len() == 0 {
		if err := w.refusal(); err != nil {
			s.m.refused.WithLabelValues(string(sig), "invalid").Inc()
			return status.Error(codes.InvalidArgument, err.Error())
		}
		return nil // nothing was sent
	}
	payload, err := encode()
	if err != nil {
		return status.Error(codes.Internal, fmt.Sprintf("encode for the journal: %v", err))
	}
	if err := ctx.Err(); err != nil {
		return err // the sender has left and will send again
	}
	if err := s.keep(kind, payload, got); err != nil {
		return s.refuse(sig, err)
	}
	s.m.accepted.WithLabelValues(string(sig)).Add(float64(got.Len() - len(got.Changes)))
	if n := len(got.Changes); n > 0 {
		s.m.accepted.WithLabelValues(string(signalChanges)).Add(float64(n))
	}
	s.m.bytes.WithLabelValues(string(sig)).Add(float64(len(payload)))
	return nil
}

// keep journals a batch and puts it into the queue, both or neither.
func (s *Server) keep(kind recordKind, payload []byte, got Received) error {
	if !s.queue.reserve(got.Bytes) {
		return errBusy
	}
	_, err := s.journal.Append(kind, got.At, payload, func(position uint64) {
		got.Position = position
		s.queue.put(got)
	})
	if err != nil {
		s.queue.cancel(got.Bytes)
	}
	return err
}

// refuse counts a refusal and returns it in the form that the receiver turns
// into an answer.
func (s *Server) refuse(sig signal, err error) error {
	why := "journal_error"
	code := codes.Unavailable
	switch {
	case errors.Is(err, errBusy):
		why, code = "queue_full", codes.ResourceExhausted
	case errors.Is(err, ErrJournalFull):
		why, code = "journal_full", codes.ResourceExhausted
	case errors.Is(err, ErrJournalClosed):
		why = "closed"
	}
	s.m.refused.WithLabelValues(string(sig), why).Inc()
	return retryable(code, err.Error()+": send again later")
}

// retryable returns a status that tells the sender when to send again.
func retryable(code codes.Code, text string) error {
	st := status.New(code, text)
	if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		st = detailed
	}
	return st.Err()
}

// consumeChanges checks, journals and queues changes. It returns how many were
// accepted and how many had been sent before. The error is a *ChangeError, or
// one that refuse made.
func (s *Server) consumeChanges(changes []*telemetry.Change) (accepted, duplicates int, err error) {
	s.changesMu.Lock()
	defer s.changesMu.Unlock()
	w := s.border.begin(now())
	fresh := make([]*telemetry.Change, 0, len(changes))
	ids := map[string]bool{}
	for i, c := range changes {
		if err = w.checkChange(c); err != nil {
			err = atItem(i, err)
			break
		}
		if s.seen.has(c.ID) || ids[c.ID] {
			duplicates++
			continue
		}
		ids[c.ID] = true
		fresh = append(fresh, c)
	}
	w.end()
	w.count(signalChanges)
	if err != nil {
		s.m.refused.WithLabelValues(string(signalChanges), "invalid").Inc()
		return 0, 0, err
	}
	if len(fresh) == 0 {
		return 0, duplicates, nil
	}
	payload, err := json.Marshal(fresh)
	if err != nil {
		return 0, 0, fmt.Errorf("encode changes: %w", err)
	}
	if err := s.keep(recordChanges, payload, w.received(telemetry.Batch{Changes: fresh})); err != nil {
		return 0, 0, s.refuse(signalChanges, err)
	}
	for _, c := range fresh {
		s.seen.add(c.ID)
	}
	s.m.accepted.WithLabelValues(string(signalChanges)).Add(float64(len(fresh)))
	s.m.bytes.WithLabelValues(string(signalChanges)).Add(float64(len(payload)))
	return len(fresh), duplicates, nil
}
