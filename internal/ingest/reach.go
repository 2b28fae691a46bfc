package ingest

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// unreadable is the reason under which a request is counted that the receiver
// refused before this package saw what was in it: too large, not compressed as
// it says, or no OTLP.
const unreadable = "unreadable"

type reachKey struct{}

// withReach returns a context whose request is known to have been read once
// reached is called with it.
func withReach(ctx context.Context) (context.Context, *atomic.Bool) {
	read := new(atomic.Bool)
	return context.WithValue(ctx, reachKey{}, read), read
}

// reached notes that the request of ctx was read.
func reached(ctx context.Context) {
	if read, ok := ctx.Value(reachKey{}).(*atomic.Bool); ok {
		read.Store(true)
	}
}

// countUnread serves with next, and counts the request if it is refused unread.
func countUnread(next http.Handler, count func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, read := withReach(r.Context())
		seen := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(seen, r.WithContext(ctx))
		// What had no room is counted where it was refused.
		if seen.status >= 400 && seen.status != http.StatusTooManyRequests && seen.status != http.StatusServiceUnavailable && !read.Load() {
			count()
		}
	})
}

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes and passes on.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unread counts gRPC requests that are refused unread.
type unread struct{ count func() }

// TagRPC makes it known whether the request is read.
func (u unread) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	ctx, _ = withReach(ctx)
	return ctx
}

// HandleRPC looks at how a request ended.
func (u unread) HandleRPC(ctx context.Context, s stats.RPCStats) {
	end, ok := s.(*stats.End)
	if !ok || end.Error == nil {
		return
	}
	if read, ok := ctx.Value(reachKey{}).(*atomic.Bool); ok && read.Load() {
		return
	}
	st := status.Convert(end.Error)
	switch st.Code() { //nolint:exhaustive // the codes of requests that cannot be read
	case codes.InvalidArgument, codes.Internal, codes.Unimplemented:
		u.count()
	case codes.ResourceExhausted: // also said when there is no room, which is counted there
		if strings.Contains(st.Message(), "larger than max") {
			u.count()
		}
	}
}

// TagConn does nothing.
func (unread) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (unread) HandleConn(context.Context, stats.ConnStats) {}
