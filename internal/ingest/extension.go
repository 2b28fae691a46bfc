package ingest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
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
		extensionID("http_tokens"): &httpTokens{tokens: h.server.tokens, refused: func() { h.server.m.refused.WithLabelValues("any", "token").Inc() }},
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
	tokens  *access.List
	refused func()
}

type forbiddenKey struct{}

// Authenticate refuses with 401. The receiver has no way to answer 403, so that
// is left to the bounds extension, which comes next.
func (h *httpTokens) Authenticate(ctx context.Context, sources map[string][]string) (context.Context, error) {
	_, err := h.tokens.Authorize(authorization(sources), access.Ingest)
	if err != nil {
		h.refused()
	}
	if errors.Is(err, access.ErrForbidden) {
		return context.WithValue(ctx, forbiddenKey{}, err), nil
	}
	return ctx, err
}

// bounds refuses requests before they are read, if there is no room for them
// or they would do harm.
type bounds struct {
	still
	server *Server
	conns  *conns
}

const tooMany = "too many requests under way: send again later"

func (b *bounds) countRefused() { b.server.m.refused.WithLabelValues("any", "inflight").Inc() }
func (b *bounds) countUnread()  { b.server.m.refused.WithLabelValues("any", unreadable).Inc() }

// GetGRPCServerOptions bounds gRPC requests.
func (b *bounds) GetGRPCServerOptions(ctx context.Context) ([]grpc.ServerOption, error) {
	creds, err := b.conns.credentials(ctx, b.server.cfg.TLS)
	if err != nil {
		return nil, err
	}
	codec := &boundedCodec{CodecV2: encoding.GetCodecV2("proto"), slots: b.server.slots, refused: b.countRefused}
	return []grpc.ServerOption{
		grpc.Creds(creds),
		grpc.MaxRecvMsgSize(b.server.cfg.Bounds.RequestBytes),
		grpc.StatsHandler(unread{b.countUnread}),
		// The tap sees a request before its message is read. An authenticator, as
		// for HTTP, would be asked only after it was read and decoded.
		grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			if err := b.authorize(info.Header); err != nil {
				b.server.m.refused.WithLabelValues("any", "token").Inc()
				return nil, err
			}
			if !b.server.slots.take() {
				b.countRefused()
				return nil, retryable(codes.ResourceExhausted, tooMany)
			}
			context.AfterFunc(ctx, b.server.slots.give) // the stream's context ends with it
			return ctx, nil
		}),
		grpc.ForceServerCodecV2(codec),
		grpc.ChainUnaryInterceptor(codec.intercept),
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

// GetHTTPHandler bounds HTTP requests, and serves changes.
func (b *bounds) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		changes := b.server.Changes()
		otlp := countUnread(next, b.countUnread)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err, ok := r.Context().Value(forbiddenKey{}).(error); ok {
				access.Refuse(w, err)
				return
			}
			if !b.server.slots.take() {
				b.countRefused()
				refuseChanges(w, retryable(codes.ResourceExhausted, tooMany))
				return
			}
			defer b.server.slots.give()
			if r.URL.Path == changesPath {
				changes.ServeHTTP(w, r)
				return
			}
			body := newBoundedBody(r, b.server.slots, b.countRefused)
			defer body.release()
			r.Body = body
			otlp.ServeHTTP(w, r)
		}), nil
	}, nil
}
