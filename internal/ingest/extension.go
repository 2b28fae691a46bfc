package ingest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"example.test/eddy/internal/access"
)

// A host is what the receiver sees of this process: the extensions that check
// tokens and bounds.
type host struct {
	server *Server
	conns  *conns
	failed *slog.Logger
}

// GetExtensions returns the extensions by the names in receiverConfig.
func (h *host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{
		extensionID("http_tokens"): &httpTokens{tokens: h.server.tokens},
		extensionID("bounds"):      &bounds{server: h.server, conns: h.conns},
	}
}

// Report is told when a listener fails while it serves.
func (h *host) Report(e *componentstatus.Event) {
	if e.Err() != nil {
		h.failed.Error("OTLP listener failed", "error", e.Err())
	}
}

// part of the extensions: they have nothing to start or stop.
type still struct{}

func (still) Start(context.Context, component.Host) error { return nil }
func (still) Shutdown(context.Context) error              { return nil }

// authorization returns the header's value. gRPC has lowercase names.
func authorization(sources map[string][]string) string {
	for _, name := range []string{"authorization", "Authorization"} {
		if v := sources[name]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// httpTokens checks tokens of HTTP requests.
type httpTokens struct {
	still
	tokens *access.List
}

type forbiddenKey struct{}

// Authenticate refuses with 401. The receiver has no way to answer 403, so that
// is left to the bounds extension, which comes next.
func (h *httpTokens) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	_, err := h.tokens.Authorize(authorization(sources), access.Ingest)
	if errors.Is(err, access.ErrForbidden) {
		return context.WithValue(ctx, forbiddenKey{}, err), nil
	}
	return ctx, err
}

// slots bound how many requests are worked on at a time.
type slots struct {
	max  int64
	used atomic.Int64
}

func newSlots(max int) *slots { return &slots{max: int64(max)} }

func (s *slots) take() bool {
	if s.used.Add(1) > s.max {
		s.used.Add(-1)
		return false
	}
	return true
}

func (s *slots) give() { s.used.Add(-1) }

// bounds refuses requests before they are read, if there is no room for them
// or they would do harm.
type bounds struct {
	still
	server *Server
	conns  *conns
}

const tooMany = "too many requests under way: send again later"

// GetGRPCServerOptions bounds gRPC requests.
func (b *bounds) GetGRPCServerOptions(ctx context.Context) ([]grpc.ServerOption, error) {
	creds, err := b.conns.credentials(ctx, b.server.cfg.TLS)
	if err != nil {
		return nil, err
	}
	return []grpc.ServerOption{
		grpc.Creds(creds),
		grpc.MaxRecvMsgSize(b.server.cfg.Bounds.RequestBytes),
		// The tap sees a request before its message is read. An authenticator, as
		// for HTTP, would be asked only after it was read and decoded.
		grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			if err := b.authorize(info.Header); err != nil {
				return nil, err
			}
			if !b.server.slots.take() {
				b.server.m.refused.WithLabelValues("any", "requests").Inc()
				return nil, retryable(codes.ResourceExhausted, tooMany)
			}
			context.AfterFunc(ctx, b.server.slots.give) // the stream's context ends with it
			return ctx, nil
		}),
		grpc.ForceServerCodecV2(depthCodec{encoding.GetCodecV2("proto")}),
	}, nil
}

// authorize checks the token of a gRPC request.
func (b *bounds) authorize(header metadata.MD) error {
	_, err := b.server.tokens.Authorize(authorization(header), access.Ingest)
	switch {
	case errors.Is(err, access.ErrForbidden):
		return status.Error(codes.PermissionDenied, err.Error())
	case err != nil:
		return status.Error(codes.Unauthenticated, err.Error())
	}
	return nil
}

// depthCodec refuses messages that are nested too deep, before they are
// decoded. The decoder recurses, and a message of 16 MiB can be nested so deep
// that its stack takes a gigabyte.
type depthCodec struct {
	encoding.CodecV2
}

// Unmarshal decodes data into v.
func (c depthCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if data.Len() > shallowBytes {
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		if err := checkNesting(buf.ReadOnlyData()); err != nil {
			return err
		}
		data = mem.BufferSlice{buf}
	}
	return c.CodecV2.Unmarshal(data, v)
}

// GetHTTPHandler bounds HTTP requests, and serves changes.
func (b *bounds) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		changes := b.server.Changes()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err, ok := r.Context().Value(forbiddenKey{}).(error); ok {
				access.Refuse(w, err)
				return
			}
			if !b.server.slots.take() {
				b.server.m.refused.WithLabelValues("any", "requests").Inc()
				refuseChanges(w, retryable(codes.ResourceExhausted, tooMany))
				return
			}
			defer b.server.slots.give()
			if r.URL.Path == changesPath {
				changes.ServeHTTP(w, r)
				return
			}
			r.Body = newBoundedBody(r)
			next.ServeHTTP(w, r)
		}), nil
	}, nil
}

// boundedBody reads a body whole before it gives any of it, and refuses, in a
// form that the receiver answers with 400, what is too large or nested too
// deep.
type boundedBody struct {
	inner io.ReadCloser
	check func([]byte) error
	read  bool
	rest  bytes.Reader
}

// newBoundedBody wraps the body of a request.
func newBoundedBody(r *http.Request) *boundedBody {
	b := &boundedBody{inner: r.Body, check: checkNesting}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		b.check = checkJSONNesting
	}
	return b
}

// Read reads from the body.
func (b *boundedBody) Read(p []byte) (int, error) {
	if !b.read {
		b.read = true
		data, err := io.ReadAll(b.inner)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return 0, status.Errorf(codes.InvalidArgument, "request: more than %d bytes uncompressed: send smaller batches", large.Limit)
		}
		if err != nil {
			return 0, err
		}
		if len(data) > shallowBytes {
			if err := b.check(data); err != nil {
				return 0, status.Error(codes.InvalidArgument, err.Error())
			}
		}
		b.rest.Reset(data)
	}
	return b.rest.Read(p)
}

// Close closes the body.
func (b *boundedBody) Close() error { return b.inner.Close() }
