package demo

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// scope names the instrumentation that the shop's own code does by hand.
const scope = "example.test/shop"

// How often an instance exports. Half a second instead of the SDK's five keeps
// the demo's verdict waiting for traffic, not for batches.
const (
	exportEvery  = 500 * time.Millisecond
	exportWithin = 5 * time.Second
	measureEvery = 2 * time.Second
	// Less than measureEvery: a reader that is late when it is stopped collects
	// once more and complains of the end of its context.
	measureWithin = 1500 * time.Millisecond
)

// An emitter is the OpenTelemetry SDK of one instance: a resource, and a
// provider for each signal, all exporting over one OTLP connection, as one
// process would.
type emitter struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
	tracer  trace.Tracer
	logger  log.Logger
	lost    *loss
	// close flushes and stops the providers, the last opened first.
	close []func(context.Context) error
}

// identity is what an instance says of itself in its resource.
type identity struct {
	service, version, instance string
}

// newSilentEmitter is the emitter of a service that nobody instrumented.
func newSilentEmitter() *emitter {
	traces := tracenoop.NewTracerProvider()
	return &emitter{
		traces:  traces,
		metrics: metricnoop.NewMeterProvider(),
		tracer:  traces.Tracer(scope),
		logger:  lognoop.NewLoggerProvider().Logger(scope),
	}
}

// newEmitter exports to endpoint. It does not wait for the connection: spans
// of an endpoint that is not there are dropped by the SDK and counted in lost.
func newEmitter(ctx context.Context, endpoint string, id identity, lost *loss) (*emitter, error) {
	conn, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}))
	if err != nil {
		return nil, err
	}
	e := &emitter{lost: lost, close: []func(context.Context) error{func(context.Context) error { return conn.Close() }}}
	if err := e.open(ctx, conn, id.resource()); err != nil {
		e.shutdown(ctx)
		return nil, err
	}
	return e, nil
}

func (e *emitter) open(ctx context.Context, conn *grpc.ClientConn, res *resource.Resource) error {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithGRPCConn(conn), otlptracegrpc.WithTimeout(exportWithin))
	if err != nil {
		return err
	}
	traces := sdktrace.NewTracerProvider(
		sdktrace.WithResource(res),
		sdktrace.WithBatcher(countingSpans{spans, e.lost}, sdktrace.WithBatchTimeout(exportEvery), sdktrace.WithExportTimeout(exportWithin)))
	e.close = append(e.close, traces.Shutdown)

	records, err := otlploggrpc.New(ctx, otlploggrpc.WithGRPCConn(conn), otlploggrpc.WithTimeout(exportWithin))
	if err != nil {
		return err
	}
	logs := sdklog.NewLoggerProvider(
		sdklog.WithResource(res),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(countingLogs{records, e.lost},
			sdklog.WithExportInterval(exportEvery), sdklog.WithExportTimeout(exportWithin))))
	e.close = append(e.close, logs.Shutdown)

	points, err := otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithGRPCConn(conn), otlpmetricgrpc.WithTimeout(measureWithin))
	if err != nil {
		return err
	}
	metrics := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(countingPoints{points, e.lost},
			sdkmetric.WithInterval(measureEvery), sdkmetric.WithTimeout(measureWithin))))
	e.close = append(e.close, metrics.Shutdown)

	e.traces, e.metrics = traces, metrics
	e.tracer, e.logger = traces.Tracer(scope), logs.Logger(scope)
	return nil
}

// resource leaves service.version out where the version is not to be known.
func (id identity) resource() *resource.Resource {
	attributes := []attribute.KeyValue{
		semconv.ServiceName(id.service),
		semconv.ServiceNamespace("shop"),
		semconv.ServiceInstanceID(id.instance),
		semconv.DeploymentEnvironmentNameKey.String("demo"),
		semconv.TelemetrySDKLanguageGo,
		semconv.TelemetrySDKName("opentelemetry"),
	}
	if id.version != "" {
		attributes = append(attributes, semconv.ServiceVersion(id.version))
	}
	return resource.NewWithAttributes(semconv.SchemaURL, attributes...)
}

// shutdown exports what is left and stops all providers, within ctx. What
// could not be exported is counted as lost: an endpoint that is gone is no
// failure of the shop.
func (e *emitter) shutdown(ctx context.Context) {
	for i := len(e.close) - 1; i >= 0; i-- {
		_ = e.lost.count(ctx, "shutdown", e.close[i](ctx))
	}
}

// note writes a log record that carries the trace of ctx.
func (e *emitter) note(ctx context.Context, severity log.Severity, text string, attributes ...attribute.KeyValue) {
	var r log.Record
	r.SetTimestamp(time.Now())
	r.SetSeverity(severity)
	r.SetSeverityText(severity.String())
	r.SetBody(attribute.StringValue(text))
	r.AddAttributes(attributes...)
	e.logger.Emit(ctx, r)
}

// loss counts exports that did not arrive, and says so once in a while. The
// SDK would hand such errors to a handler that the whole process shares, and
// Eddy runs in the same process.
type loss struct {
	exports atomic.Uint64
	logger  *slog.Logger
}

// count takes err over: the SDK is told that all is well.
func (l *loss) count(ctx context.Context, signal string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	if n := l.exports.Add(1); n&(n-1) == 0 { // The 1st, 2nd, 4th, 8th ...
		l.logger.WarnContext(ctx, "telemetry of the shop was not accepted", "signal", signal, "lost_exports", n, "error", err)
	}
	return nil
}

type countingSpans struct {
	sdktrace.SpanExporter
	lost *loss
}

func (c countingSpans) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return c.lost.count(ctx, "traces", c.SpanExporter.ExportSpans(ctx, spans))
}

type countingLogs struct {
	sdklog.Exporter
	lost *loss
}

func (c countingLogs) Export(ctx context.Context, records []sdklog.Record) error {
	return c.lost.count(ctx, "logs", c.Exporter.Export(ctx, records))
}

type countingPoints struct {
	sdkmetric.Exporter
	lost *loss
}

func (c countingPoints) Export(ctx context.Context, points *metricdata.ResourceMetrics) error {
	return c.lost.count(ctx, "metrics", c.Exporter.Export(ctx, points))
}
