package demo

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// drainFor is how long an instance that has left the directory still accepts
// requests, for callers that had picked it just before.
const drainFor = 100 * time.Millisecond

// An instance is one server of one service in one version: a listener of its
// own, a telemetry resource of its own, stopped on its own.
type instance struct {
	identity
	of      service
	address string
	server  *http.Server
	emit    *emitter
	release io.Closer     // what the service holds open, may be nil
	served  chan struct{} // closed when the server's goroutine has ended
}

// A service is how instances of it are made.
type service struct {
	name string
	// replicas is how many instances there are.
	replicas int
	// version is what they run when the shop opens.
	version string
	// open returns the handler of one instance, and what to close with it.
	open func(*kit) (http.Handler, io.Closer, error)
	// silent: nobody instrumented it.
	silent bool
	// nameless: its resource does not say which version it is.
	nameless bool
}

// listen starts an instance. The returned instance serves already, but no
// directory knows it.
func (s *Shop) listen(ctx context.Context, svc service, name, version string) (*instance, error) {
	id := identity{service: svc.name, version: version, instance: name}
	told := id
	if svc.nameless {
		told.version = ""
	}
	emit := newSilentEmitter()
	if !svc.silent {
		var err error
		if emit, err = newEmitter(ctx, s.cfg.OTLPEndpoint, told, &s.lost); err != nil {
			return nil, err
		}
	}
	in := &instance{identity: id, of: svc, emit: emit, served: make(chan struct{})}
	handler, release, err := svc.open(s.kitFor(in))
	if err != nil {
		emit.shutdown(ctx)
		return nil, err
	}
	in.release = release
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, in.close(ctx))
	}
	in.address = listener.Addr().String()
	in.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(in.served)
		// Serve ends with ErrServerClosed when close is called, and otherwise
		// only if the listener breaks, which callers see as failures.
		if err := in.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.ErrorContext(ctx, "instance stopped serving", "instance", name, "error", err)
		}
	}()
	return in, nil
}

// stop lets the requests that are being served end, and takes no more.
func (in *instance) stop(ctx context.Context) error {
	if in.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	err := in.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, in.server.Close())
	}
	<-in.served
	return err
}

// close exports what is left and lets go of everything. It comes after stop.
func (in *instance) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	in.emit.shutdown(ctx)
	if in.release == nil {
		return nil
	}
	return in.release.Close()
}
