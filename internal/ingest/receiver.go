package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configgrpc"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configmiddleware"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	otelreceiver "go.opentelemetry.io/collector/receiver"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

// certReload is how often the certificate is read again, so that it can be
// renewed without a restart.
const certReload = time.Minute

// A receiver is the Collector's OTLP receiver, run inside this process.
type receiver struct {
	grpcAddr, httpAddr string

	inner component.Component
	conns *conns // of gRPC
}

// startReceiver listens on the server's addresses.
func startReceiver(ctx context.Context, s *Server) (*receiver, error) {
	r := &receiver{conns: newConns()}
	watch := newAddrCore(s.log)
	cfg := receiverConfig(s.cfg, !s.tokens.Open())
	if !cfg.Protocols.GRPC.HasValue() && !cfg.Protocols.HTTP.HasValue() {
		return r, nil
	}
	set := otelreceiver.Settings{
		ID: component.NewIDWithName(component.MustNewType("otlp"), "eddy"),
		TelemetrySettings: component.TelemetrySettings{
			Logger:         zap.New(watch),
			TracerProvider: tracenoop.NewTracerProvider(),
			MeterProvider:  metricnoop.NewMeterProvider(),
		},
		BuildInfo: component.BuildInfo{Command: "eddy"},
	}
	if err := r.create(ctx, s, set, cfg); err != nil {
		return nil, fmt.Errorf("create OTLP receiver: %w", err)
	}
	if err := r.inner.Start(ctx, &host{server: s, conns: r.conns, failed: watch.log}); err != nil {
		return nil, fmt.Errorf("listen for OTLP on %s and %s: %w", s.cfg.GRPC, s.cfg.HTTP, err)
	}
	r.grpcAddr, r.httpAddr = watch.addrs()
	if cfg.Protocols.GRPC.HasValue() != (r.grpcAddr != "") || cfg.Protocols.HTTP.HasValue() != (r.httpAddr != "") {
		return nil, errors.Join(errors.New("OTLP receiver did not say where it listens"), r.shutdown(ctx))
	}
	return r, nil
}

// create makes the receiver for the three signals. The factory returns one
// component for the three, so starting any of them starts all.
func (r *receiver) create(ctx context.Context, s *Server, set otelreceiver.Settings, cfg *otlpreceiver.Config) error {
	// The request is ours to change: nobody else is given it.
	mutates := consumer.WithCapabilities(consumer.Capabilities{MutatesData: true})
	traces, err := consumer.NewTraces(s.consumeTraces, mutates)
	if err != nil {
		return err
	}
	logs, err := consumer.NewLogs(s.consumeLogs, mutates)
	if err != nil {
		return err
	}
	metrics, err := consumer.NewMetrics(s.consumeMetrics, mutates)
	if err != nil {
		return err
	}
	factory := otlpreceiver.NewFactory()
	if r.inner, err = factory.CreateTraces(ctx, set, cfg, traces); err != nil {
		return err
	}
	if _, err = factory.CreateLogs(ctx, set, cfg, logs); err != nil {
		return err
	}
	_, err = factory.CreateMetrics(ctx, set, cfg, metrics)
	return err
}

// shutdown stops listening and waits for requests that are under way. If ctx
// ends first, the gRPC connections that remain are cut off: a client that opens
// a stream and sends nothing would hold up the process for ever.
func (r *receiver) shutdown(ctx context.Context) error {
	if r.inner == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- r.inner.Shutdown(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		r.conns.closeAll()
		return errors.Join(ctx.Err(), <-done)
	}
}

// The names under which the receiver finds what the host offers.
func extensionID(name string) component.ID {
	return component.NewIDWithName(component.MustNewType("eddy"), name)
}

// receiverConfig writes cfg in the receiver's terms.
func receiverConfig(cfg Config, tokens bool) *otlpreceiver.Config {
	out := &otlpreceiver.Config{}
	defaults, ok := otlpreceiver.NewFactory().CreateDefaultConfig().(*otlpreceiver.Config)
	if ok {
		out = defaults
	}
	tls := configoptional.None[configtls.ServerConfig]()
	if cfg.TLS.On() {
		tls = configoptional.Some(configtls.ServerConfig{
			ClientCAFile: cfg.TLS.ClientCAFile,
			Config:       configtls.Config{CertFile: cfg.TLS.CertFile, KeyFile: cfg.TLS.KeyFile, ReloadInterval: certReload},
		})
	}
	middlewares := []configmiddleware.Config{{ID: extensionID("bounds")}}
	if cfg.GRPC == off {
		out.Protocols.GRPC = configoptional.None[configgrpc.ServerConfig]()
	} else {
		grpc := out.Protocols.GRPC.GetOrInsertDefault()
		grpc.NetAddr = confignet.AddrConfig{Endpoint: cfg.GRPC, Transport: confignet.TransportTypeTCP}
		grpc.TLS = tls
		grpc.Middlewares = middlewares
	}
	if cfg.HTTP == off {
		out.Protocols.HTTP = configoptional.None[otlpreceiver.HTTPConfig]()
		return out
	}
	http := &out.Protocols.HTTP.GetOrInsertDefault().ServerConfig
	http.NetAddr = confignet.AddrConfig{Endpoint: cfg.HTTP, Transport: confignet.TransportTypeTCP}
	http.TLS = tls
	http.Middlewares = middlewares
	http.MaxRequestBodySize = int64(cfg.Bounds.RequestBytes)
	http.ReadHeaderTimeout = 10 * time.Second
	http.ReadTimeout = time.Minute
	http.WriteTimeout = time.Minute
	http.Keepalive = configoptional.Some(confighttp.KeepaliveServerConfig{IdleTimeout: 2 * time.Minute})
	if tokens {
		http.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: extensionID("http_tokens")}})
	}
	return out
}
