package duckdb_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store/duckdb"
	"example.test/eddy/internal/telemetry"
)

// span returns span n, 10 to a trace, as a web service would send it.
func span(n int, start time.Time) *telemetry.Span {
	x := &telemetry.Span{
		Name: "POST /checkout", Kind: telemetry.KindServer, Start: start, End: start.Add(time.Second), Status: telemetry.StatusOK,
		Resource: &telemetry.Resource{Service: "cart", Version: "2.4.0", Instance: "cart-7f"},
	}
	// Ids are spread as random ones are.
	binary.BigEndian.PutUint64(x.Trace[:8], uint64(n/10+1)*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(x.Trace[8:], uint64(n/10+1)*0xC2B2AE3D27D4EB4F)
	binary.BigEndian.PutUint64(x.ID[:], uint64(n+1)*0x9E3779B97F4A7C15)
	list := []telemetry.Attribute{
		{Key: "http.request.method", Value: "POST"},
		{Key: "http.route", Value: "/checkout"},
		{Key: "http.response.status_code", Value: []string{"200", "200", "500"}[n%3]},
		{Key: "url.path", Value: fmt.Sprintf("/checkout/%d", n%1000)},
		{Key: "server.address", Value: "cart.shop.svc"},
		{Key: "server.port", Value: "8080"},
		{Key: "client.address", Value: fmt.Sprintf("10.0.%d.%d", n%250, n%13)},
		{Key: "user_agent.original", Value: "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/146.0"},
		{Key: "network.protocol.version", Value: "1.1"},
		{Key: "thread.id", Value: fmt.Sprint(n % 64)},
	}
	x.Attributes = telemetry.NewAttributes(list)
	return x
}

// batch returns batch number n of size spans, spread over a second.
func batch(n, size int, start time.Time) telemetry.Batch {
	var b telemetry.Batch
	from := span(0, start).Resource
	for i := range size {
		x := span(n*size+i, start.Add(time.Duration(i)*time.Second/time.Duration(size)))
		x.Resource = from
		b.Spans = append(b.Spans, x)
	}
	return b
}

func benchStore(b *testing.B) *duckdb.Store {
	return open(b, filepath.Join(b.TempDir(), "eddy.duckdb"))
}

func BenchmarkAppend5000Spans(b *testing.B) {
	s := benchStore(b)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	n := 0
	for b.Loop() {
		b.StopTimer()
		x := batch(n, 5000, now)
		b.StartTimer()
		if err := s.Append(b.Context(), x, uint64(n)); err != nil {
			b.Fatal(err)
		}
		n++
		now = now.Add(time.Second)
	}
	b.ReportMetric(float64(n)*5000/b.Elapsed().Seconds(), "spans/s")
}

// million returns a store with 1,000,000 spans.
func million(b *testing.B) *duckdb.Store {
	s := benchStore(b)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for n := range 50 {
		if err := s.Append(b.Context(), batch(n, 20_000, now.Add(time.Duration(n)*time.Second)), uint64(n)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkMillionSpans(b *testing.B) {
	s := million(b)
	b.Run("Trace", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n += 77_777
			if list, err := s.Trace(b.Context(), span(n%1_000_000, time.Time{}).Trace); err != nil || len(list) != 10 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("SpansOfOneSecond", func(b *testing.B) {
		at := time.Date(2026, 11, 21, 10, 0, 30, 0, time.UTC)
		for b.Loop() {
			n := 0
			for _, err := range s.Spans(b.Context(), telemetry.Window{Start: at, End: at.Add(time.Second)}) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != 20_000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("Append5000Again", func(b *testing.B) {
		x := batch(40*4, 5000, time.Date(2026, 11, 21, 10, 0, 40, 0, time.UTC))
		for b.Loop() {
			if err := s.Append(b.Context(), x, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Counts", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Counts(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// step returns a result of n observations, each with 40 of 600 conditions.
func step(round, n int, start time.Time) pipeline.Result {
	d := condition.NewDictionary(0)
	for i := range 600 {
		d.ID(condition.Condition{Entity: fmt.Sprintf("service-%d", i%20), Dimension: "service.version", Value: fmt.Sprint(i)})
	}
	r := pipeline.Result{Dictionary: d}
	for i := range n {
		x := span((round*n+i)*10, start)
		o := condition.Observation{
			Request: request.ID{Trace: x.Trace, Span: x.ID}, Entry: request.Entry{Service: "gateway", Operation: "POST /checkout"},
			Time: start.Add(time.Duration(i) * 10 * time.Second / time.Duration(n)), Duration: time.Second, Outcome: request.Outcome(i % 3), Weight: 1,
		}
		for j := range 40 {
			o.Conditions = append(o.Conditions, condition.ID((i*7+j*15)%600))
		}
		r.Observations = append(r.Observations, o)
	}
	return r
}

func BenchmarkSave10000Observations(b *testing.B) {
	s := benchStore(b)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	n := 0
	for b.Loop() {
		b.StopTimer()
		r := step(n, 10_000, now.Add(time.Duration(n)*10*time.Second))
		b.StartTimer()
		if err := s.Save(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkObservationsOf15Minutes(b *testing.B) {
	s := benchStore(b)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for n := range 180 {
		if err := s.Save(b.Context(), step(n, 50_000/90, now.Add(time.Duration(n)*10*time.Second))); err != nil {
			b.Fatal(err)
		}
	}
	w := telemetry.Window{Start: now.Add(15 * time.Minute), End: now.Add(30 * time.Minute)}
	for b.Loop() {
		n := 0
		for o, err := range s.Observations(b.Context(), w) {
			if err != nil || len(o.InForce) != 40 {
				b.Fatal(len(o.InForce), err)
			}
			n++
		}
		if n != 50_000/90*90 {
			b.Fatal(n)
		}
	}
}
