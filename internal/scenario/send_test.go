package scenario_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/scenario"
	"example.test/eddy/internal/sim"
)

// A timedSink remembers when requests came, and the times of their spans.
type timedSink struct {
	t     *testing.T
	begun time.Time
	late  []time.Duration // how long after a span's end it came
	last  time.Time       // end of a span
}

func (*timedSink) Format() sim.Format { return sim.Protobuf }

func (k *timedSink) Send(signal sim.Signal, request []byte) error {
	if signal != sim.Traces {
		return nil
	}
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, rs := range traces.ResourceSpans().All() {
		for _, s := range rs.ScopeSpans().At(0).Spans().All() {
			end := s.EndTimestamp().AsTime()
			k.late = append(k.late, time.Since(end))
			if end.After(k.last) {
				k.last = end
			}
		}
	}
	return nil
}

func TestWhatIsSentEndsNowAndTakesAsLongAsItsSpeedSays(t *testing.T) {
	s := parse(t, "storm.yaml", storm) // 90 s
	for _, x := range []struct {
		speed float64
		takes time.Duration
	}{{0, 0}, {1, 89 * time.Second}, {10, 8900 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			sink := &timedSink{t: t, begun: began}
			if _, err := s.Send(t.Context(), s.Seed, nil, scenario.Sending{Sink: sink, Speed: x.speed, Began: began}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != x.takes {
				t.Errorf("at speed %v it takes %v, want %v", x.speed, took, x.takes)
			}
			if off := time.Since(sink.last); off < -time.Second || off > time.Second {
				t.Errorf("at speed %v the last span is %v old", x.speed, off)
			}
			if x.speed != 1 {
				return
			}
			for _, late := range sink.late {
				if late < -time.Second || late > 2*time.Second {
					t.Fatalf("a span came %v after its end", late)
				}
			}
		})
	}
}
