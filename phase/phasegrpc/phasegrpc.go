// Package phasegrpc carries phases over gRPC: guards for servers, and
// interceptors for clients.
//
// It is apart from package phase so that importers of that do not link gRPC. The
// caller's belief travels in the metadata eddy-phase, the subject's answer in the
// header eddy-phase-actual. What a phase refuses ends with codes.Unavailable
// before a handler has begun, and with codes.FailedPrecondition if it is the
// caller's own belief that forbids it and nothing was sent. All functions may be
// used concurrently.
package phasegrpc

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"example.test/eddy/phase"
)

// keyBelief and keyActual are the headers of package phase as gRPC writes them.
func keyBelief() string { return strings.ToLower(phase.HeaderBelief) }
func keyActual() string { return strings.ToLower(phase.HeaderActual) }

// Action names what a call of a method does; "" lets it pass unjudged.
type Action func(method string) string

// UnaryServer admits calls by the subject's phase, as phase.Producer.HTTP does.
func UnaryServer(p *phase.Producer, action Action) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		done, err := enter(ctx, p, action(info.FullMethod), func(m metadata.MD) error { return grpc.SetHeader(ctx, m) })
		if err != nil {
			return nil, err
		}
		defer done()
		return handler(ctx, request)
	}
}

// StreamServer does for streams what UnaryServer does for calls. A stream counts
// as in flight until its handler returns.
func StreamServer(p *phase.Producer, action Action) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		done, err := enter(stream.Context(), p, action(info.FullMethod), stream.SetHeader)
		if err != nil {
			return err
		}
		defer done()
		return handler(server, stream)
	}
}

// enter admits one call.
func enter(ctx context.Context, p *phase.Producer, action string, header func(metadata.MD) error) (done func(), err error) {
	if action == "" {
		return func() {}, nil
	}
	var b *phase.Belief
	if values := metadata.ValueFromIncomingContext(ctx, keyBelief()); len(values) > 0 {
		b = p.Belief(values[0])
	}
	done, _, refused := p.Enter(ctx, action, b)
	now := p.Actual()
	if err := header(metadata.Pairs(keyActual(), now.Header())); err != nil && refused == nil {
		done()
		return nil, err
	}
	if refused != nil {
		return nil, status.Errorf(codes.Unavailable, "phase %s refuses %s", now.Phase, action)
	}
	return done, nil
}

// Key names the subject that a call of a method is for; "" lets it pass as it is.
type Key func(ctx context.Context, method string, target string) string

// UnaryClient sends calls as far as the subject's phase allows it, as
// phase.Watch.Transport does.
func UnaryClient(w *phase.Watch, action string, key Key) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		subject := key(ctx, method, cc.Target())
		if subject == "" {
			return invoke(ctx, method, request, reply, cc, options...)
		}
		ctx, ticket, err := begin(ctx, w, subject, action)
		if err != nil {
			return err
		}
		defer ticket.Done()
		var header metadata.MD
		err = invoke(ctx, method, request, reply, cc, append(options, grpc.Header(&header))...)
		heard(w, subject, header)
		return err
	}
}

// StreamClient does for streams what UnaryClient does for calls. The action is
// under way until the stream's context ends.
func StreamClient(w *phase.Watch, action string, key Key) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		subject := key(ctx, method, cc.Target())
		if subject == "" {
			return streamer(ctx, desc, cc, method, options...)
		}
		ctx, ticket, err := begin(ctx, w, subject, action)
		if err != nil {
			return nil, err
		}
		stream, err := streamer(ctx, desc, cc, method, options...)
		if err != nil {
			ticket.Done()
			return nil, err
		}
		context.AfterFunc(stream.Context(), ticket.Done)
		return stream, nil
	}
}

// begin starts an action and tells the subject what is believed.
func begin(ctx context.Context, w *phase.Watch, subject, action string) (context.Context, phase.Ticket, error) {
	ticket, err := w.Begin(ctx, subject, action)
	if errors.Is(err, phase.ErrRefused) {
		return nil, ticket, status.Error(codes.FailedPrecondition, err.Error())
	}
	return metadata.AppendToOutgoingContext(ctx, keyBelief(), ticket.Belief.String()), ticket, err
}

// heard takes over what the subject said.
func heard(w *phase.Watch, subject string, header metadata.MD) {
	for _, value := range header.Get(keyActual()) {
		w.Heard(subject, value)
	}
}
