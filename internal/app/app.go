// Package app wires all this together, and stops it in order.
//
// New opens everything, listeners included, so that addresses are known before
// Run. Run works until its context ends, and then drains: it stops listening,
// works off what was accepted, analyses once more, and closes what New opened,
// the last first. What is not worked off within Options.Drain stays in the
// journal, and the next start goes on from there.
//
// Between the receivers and the store stands one bounded queue (package
// ingest) and one batch: when the store is slow the batch waits, the queue
// fills, and senders are told to try again. Nothing that was acknowledged is
// dropped.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/web"
)

// An App is one Eddy server. Two can run in one process.
type App struct {
	options  Options
	log      *slog.Logger
	registry *prometheus.Registry
	metrics  *metrics

	store    store.Store
	ingest   *ingest.Server
	pipeline *pipeline.Pipeline
	web      *web.Server
	listener net.Listener
	http     *http.Server
	keeper   *keeper
	phases   *phases             // nil if there are none
	cluster  *kubernetes.Watcher // nil if none is watched

	ready   atomic.Bool
	closers []closer // run last to first
}

// A closer is one step of stopping, with a name for the log.
type closer struct {
	name string
	stop func() error
}

// New opens a server: the store, the journal, the listeners. It takes up what
// an earlier process left behind before it returns, so a server that is ready
// has lost nothing. Whoever gets an App calls Run, which closes it.
func New(ctx context.Context, o Options, log *slog.Logger) (_ *App, err error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	a := &App{options: o.withDefaults(), log: log, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.metrics = newMetrics(a.registry)
	tokens, err := a.options.tokens()
	if err != nil {
		return nil, err
	}
	if err := access.CheckListen(a.options.Web, a.options.TLS.On(), !tokens.Open(), a.options.InsecureListen); err != nil {
		return nil, err
	}
	if err := a.open(ctx, tokens); err != nil {
		return nil, err
	}
	if err := a.restore(ctx); err != nil {
		return nil, err
	}
	if err := a.loadLedger(ctx); err != nil {
		return nil, err
	}
	return a, a.serve(ctx, tokens)
}

// open opens the store, the receivers and the pipeline.
func (a *App) open(ctx context.Context, tokens *access.List) error {
	o := a.options
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	db, err := duckdb.Open(ctx, duckdb.Config{Path: filepath.Join(o.Data, "eddy.duckdb"), MemoryLimit: o.StoreMemory})
	if err != nil {
		return err
	}
	a.store = db
	a.onClose("store", db.Close)
	if o.Ingest.Journal.Dir == "" {
		o.Ingest.Journal.Dir = filepath.Join(o.Data, "journal")
	}
	stored, err := a.store.Position(ctx)
	if err != nil {
		return err
	}
	if a.ingest, err = ingest.New(o.Ingest, ingest.Options{Logger: a.log, Registerer: a.registry, Tokens: tokens, Stored: stored}); err != nil {
		return err
	}
	a.onClose("journal", a.ingest.Close)
	a.pipeline = pipeline.New(o.Analysis, a.store, a.log)
	a.registry.MustRegister(newCollector(a.pipeline.Stats), indicators{a.pipeline.Phases()})
	a.keeper = newKeeper(a.store, a.ingest, a.log, a.metrics)
	if err := a.openPhases(ctx); err != nil {
		return err
	}
	return a.openKubernetes(ctx)
}

// serve starts listening for pages, the API and OTLP.
func (a *App) serve(ctx context.Context, tokens *access.List) error {
	if err := a.ingest.Start(ctx); err != nil {
		return err
	}
	a.onClose("receivers", func() error {
		limit, stop := context.WithTimeout(context.WithoutCancel(ctx), a.options.Drain)
		defer stop()
		return a.ingest.Shutdown(limit)
	})
	listener, err := net.Listen("tcp", a.options.Web)
	if err != nil {
		return fmt.Errorf("listen for pages on %s: %w", a.options.Web, err)
	}
	a.listener = listener
	a.onClose("page listener", func() error {
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	config := web.Config{
		Records: a.store, Changes: a.ingest.Changes(), Experiments: a.record,
		Metrics:  promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}),
		Coverage: a.coverage, Health: a.health, Graph: a.pipeline.Graph,
		Hosts: a.options.Hosts, Access: tokens,
		Receivers: a.receivers(),
		Phases:    a.phaseHandler(tokens), PhaseReports: a.pipeline.Phases(),
		TraceLinks: a.options.TraceLinks, IncidentLinks: a.options.IncidentLinks,
		Watch: a.pipeline.Window(), Log: a.log, Registerer: a.registry,
	}
	if a.web, err = web.New(config); err != nil {
		return err
	}
	a.http = &http.Server{
		Handler: a.web.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	a.ready.Store(true)
	return nil
}

// Run serves until ctx ends, drains and closes. It returns nil when it was
// asked to stop and everything stopped in order.
func (a *App) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the drain
	defer cancel()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return a.take(work) })
	group.Go(func() error { return a.keeper.run(work) })
	group.Go(func() error { return a.analyse(running) })
	group.Go(func() error { return a.retain(running) })
	group.Go(func() error { return a.keepLedger(running) })
	group.Go(func() error { return a.tellPhases(running) })
	group.Go(func() error { return a.mediate(running) })
	group.Go(func() error { return a.watchKubernetes(running) })
	group.Go(func() error {
		tls := a.options.TLS
		var err error
		if tls.On() {
			err = a.http.ServeTLS(a.listener, tls.CertFile, tls.KeyFile)
		} else {
			err = a.http.Serve(a.listener)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve pages: %w", err)
	})
	group.Go(func() error {
		<-running.Done()
		a.ready.Store(false)
		limit := time.AfterFunc(a.options.Drain, func() {
			a.log.WarnContext(ctx, "stopping takes too long; what is not stored stays in the journal for the next start", "drain", a.options.Drain)
			cancel()
		})
		context.AfterFunc(work, func() { limit.Stop() }) // Run has returned
		err := a.ingest.Shutdown(work)                   // take ends when the queue is empty, then the keeper
		a.web.Close()
		return errors.Join(err, a.http.Shutdown(work))
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), a.options.Drain)
	defer stop()
	if _, stepErr := a.pipeline.Step(last, time.Now()); stepErr != nil {
		err = errors.Join(err, stepErr)
	}
	return errors.Join(err, a.saveLedger(), a.close())
}

// take hands what was received to the pipeline and the keeper until the
// receivers are shut down and all of it is taken.
func (a *App) take(ctx context.Context) error {
	defer a.keeper.finish()
	for {
		r, err := a.ingest.Receive(ctx)
		if errors.Is(err, ingest.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		a.pipeline.Add(time.Now(), r.Batch)
		if err := a.keeper.put(ctx, r); err != nil {
			return nil // it is in the journal
		}
	}
}

// analyse steps the pipeline on the clock.
func (a *App) analyse(ctx context.Context) error {
	tick := time.NewTicker(a.options.Step)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		began := time.Now()
		r, err := a.pipeline.Step(ctx, began)
		a.metrics.step(time.Since(began), err)
		if err != nil {
			if ctx.Err() == nil {
				a.log.ErrorContext(ctx, "window not saved; a later step will", "error", err)
			}
			continue
		}
		for _, i := range r.Incidents {
			if i.Analyses == 1 {
				a.log.InfoContext(ctx, "incident opened", "incident_id", i.ID, "title", i.Title)
			}
		}
		a.web.Publish(r)
	}
}

// retain deletes what is past its retention, at the start and every hour.
func (a *App) retain(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		gone, err := a.store.Retain(ctx, a.options.Retention, time.Now())
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.ErrorContext(ctx, "retention not applied", "error", err)
		case err == nil:
			for _, table := range slices.Sorted(maps.Keys(gone)) {
				if rows := gone[table]; rows > 0 {
					a.log.InfoContext(ctx, "retention applied", "table", table, "deleted", rows)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// onClose pushes a step of stopping.
func (a *App) onClose(name string, stop func() error) {
	a.closers = append(a.closers, closer{name, stop})
}

// close undoes New, the last step first, all of them.
func (a *App) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		if err := a.closers[i].stop(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", a.closers[i].name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// URL is the address of the pages.
func (a *App) URL() string { return scheme(a.options.TLS.On()) + a.listener.Addr().String() }

// OTLP returns the addresses that take OTLP over gRPC and HTTP, host:port.
func (a *App) OTLP() (grpc, http string) { return a.ingest.GRPCAddr(), a.ingest.HTTPAddr() }

// receivers are the addresses that take OTLP, as a client would write them.
func (a *App) receivers() web.Receivers {
	r := web.Receivers{GRPC: a.ingest.GRPCAddr()}
	if address := a.ingest.HTTPAddr(); address != "" {
		r.HTTP = scheme(a.options.Ingest.TLS.On()) + address
	}
	return r
}

// Records are what the server keeps.
func (a *App) Records() store.Store { return a.store }

// scheme is the beginning of a URL.
func scheme(tls bool) string {
	if tls {
		return "https://"
	}
	return "http://"
}
