package demo_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
)

// A span is what the tests read of one.
type span struct {
	service, version, instance string
	name                       string
	id, parent                 pcommon.SpanID
	server                     bool
	failed                     bool
	start                      time.Time
	attributes                 map[string]any
	flags                      map[string]string
}

// A collector is an OTLP receiver over gRPC that keeps what it gets.
type collector struct {
	ptraceotlp.UnimplementedGRPCServer
	endpoint string
	news     chan struct{} // holds one element if something has arrived
	// stop ends the receiver. A request whose sender has given up may be at
	// work until then, so what was kept is read after it.
	stop func()

	mu      sync.Mutex
	traces  map[pcommon.TraceID][]span
	roots   []span
	logs    map[string]int      // records with a trace, by service
	events  map[string]int      // log events, by name
	metrics map[string][]string // services, by metric
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{
		endpoint: listener.Addr().String(),
		news:     make(chan struct{}, 1),
		traces:   make(map[pcommon.TraceID][]span),
		logs:     make(map[string]int),
		events:   make(map[string]int),
		metrics:  make(map[string][]string),
	}
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	ptraceotlp.RegisterGRPCServer(server, c)
	plogotlp.RegisterGRPCServer(server, &logSink{c: c})
	pmetricotlp.RegisterGRPCServer(server, &metricSink{c: c})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	c.stop = func() { server.Stop(); <-served }
	t.Cleanup(c.stop)
	return c
}

func (c *collector) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range r.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				c.keep(s, rs.Resource().Attributes())
			}
		}
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
	return ptraceotlp.NewExportResponse(), nil
}

func (c *collector) keep(s ptrace.Span, resource pcommon.Map) {
	kept := span{
		service: text(resource, "service.name"), version: text(resource, "service.version"),
		instance: text(resource, "service.instance.id"),
		name:     s.Name(), id: s.SpanID(), parent: s.ParentSpanID(),
		server: s.Kind() == ptrace.SpanKindServer, failed: s.Status().Code() == ptrace.StatusCodeError,
		start: s.StartTimestamp().AsTime(), attributes: s.Attributes().AsRaw(), flags: make(map[string]string),
	}
	for _, e := range s.Events().All() {
		if e.Name() == "feature_flag.evaluation" {
			kept.flags[text(e.Attributes(), "feature_flag.key")] = text(e.Attributes(), "feature_flag.result.variant")
		}
	}
	c.traces[s.TraceID()] = append(c.traces[s.TraceID()], kept)
	if kept.parent.IsEmpty() {
		c.roots = append(c.roots, kept)
	}
}

func text(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

type logSink struct {
	plogotlp.UnimplementedGRPCServer
	c *collector
}

func (l *logSink) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	for _, rl := range r.Logs().ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				if !record.TraceID().IsEmpty() {
					l.c.logs[text(rl.Resource().Attributes(), "service.name")]++
				}
				if record.EventName() != "" {
					l.c.events[record.EventName()]++
				}
			}
		}
	}
	return plogotlp.NewExportResponse(), nil
}

type metricSink struct {
	pmetricotlp.UnimplementedGRPCServer
	c *collector
}

func (m *metricSink) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	for _, rm := range r.Metrics().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				m.c.metrics[metric.Name()] = append(m.c.metrics[metric.Name()], text(rm.Resource().Attributes(), "service.name"))
			}
		}
	}
	return pmetricotlp.NewExportResponse(), nil
}

// await waits until n requests that began after since have arrived.
func (c *collector) await(t *testing.T, since time.Time, n int) {
	t.Helper()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for {
		if got := c.since(since); got >= n {
			return
		}
		select {
		case <-c.news:
		case <-limit.C:
			t.Fatalf("%d requests arrived in 2 min, want %d", c.since(since), n)
		}
	}
}

func (c *collector) since(t time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.roots {
		if r.start.After(t) {
			n++
		}
	}
	return n
}

// A changeLog is Eddy's endpoint for changes, as far as the shop knows it.
type changeLog struct {
	url string

	mu     sync.Mutex
	bodies []map[string]any
	types  []string
}

func newChangeLog(t *testing.T) *changeLog {
	t.Helper()
	l := &changeLog{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		var body map[string]any
		if err == nil {
			err = json.Unmarshal(data, &body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bodies = append(l.bodies, body)
		l.types = append(l.types, r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}
