package sim

import (
	"fmt"
	"time"
)

// Telemetry says what of a run is told, and how well. The zero Telemetry tells
// everything, at once and with clocks that agree. What is true is in the Result,
// and never in telemetry.
type Telemetry struct {
	Environment string        // deployment.environment.name: "simulation"
	Sampling    float64       // share of traces that are kept: 1
	KeepErrors  bool          // keep traces with an error beside the sample
	KeepSlow    time.Duration // and those that took longer; 0: none
	Scrape      time.Duration // how often metrics are read: 10 s
	Queue       int           // spans that the exporter takes in a second, the newest above are lost; 0: all
	Loss        float64       // share of spans that is lost, each by itself
	Late        float64       // share of spans that arrives LateBy later
	LateBy      time.Duration
	Skew        time.Duration // clocks of instances differ by up to this, either way
}

// A Signal is a kind of telemetry.
type Signal string

// Signals.
const (
	Traces  Signal = "traces"
	Logs    Signal = "logs"
	Metrics Signal = "metrics"
)

// A Sink takes telemetry.
type Sink interface {
	Format() Format
	// Send takes one export request. The bytes are valid until it returns.
	Send(signal Signal, request []byte) error
}

func (t *Telemetry) set(param string, v any) error {
	switch param {
	case "sampling":
		return asShare(param, v, &t.Sampling)
	case "loss":
		return asShare(param, v, &t.Loss)
	case "late":
		return asShare(param, v, &t.Late)
	case "late_by":
		return asDuration(param, v, &t.LateBy)
	case "queue":
		return asInt(param, v, &t.Queue)
	case "skew":
		return asDuration(param, v, &t.Skew)
	}
	return unknownParam(param, "telemetry", "sampling", "loss", "late", "late_by", "queue", "skew")
}

// finish sends what is left.
func (t *tap) finish() error {
	for i := range t.late {
		t.late[i].due = t.sim.engine.now
	}
	for i := range t.lateLogs {
		t.lateLogs[i].due = t.sim.engine.now
	}
	t.flush()
	t.scrape()
	return t.err
}

func (v *validation) telemetry(t *Telemetry) {
	v.share("telemetry", "sampling", t.Sampling)
	v.share("telemetry", "loss", t.Loss)
	v.share("telemetry", "late", t.Late)
	v.atLeast0("telemetry", "keep_slow, scrape, queue, late_by, skew",
		float64(t.KeepSlow), float64(t.Scrape), float64(t.Queue), float64(t.LateBy), float64(t.Skew))
}

// telemetryTick is the event that a second is over, and what was told in it goes
// out.
const telemetryTick uint16 = 1

// A tap tells what happens.
type tap struct {
	sim       *Sim
	ent       uint32
	base      Telemetry
	spec      Telemetry
	sink      Sink
	epoch     uint64 // virtual time 0, in Unix nanoseconds
	enc       encoder
	side      encoder    // for what is written once
	resources []resource // the first of each instance, by its number, and those that came later
	// identities are what instances are and were. Of each instance now is what it is at
	// present, or none if it tells nothing, and newest what it became last for the first
	// time.
	identities []identity
	now        []int32
	newest     []int32
	names      []spanName
	spans      []span
	late       []lateSpan
	lateLogs   []lateLog
	held       arena[span] // of traces that may be dropped when they have ended
	byRes      []int32     // the first span of each resource, in a batch
	next       []int32
	dynamic    []attribute
	logs       []logRecord
	scraped    scrape
	taken      int // spans that were exported in the second under way
	count      TelemetryCount
	err        error
}

// TelemetryCount is what became of the spans of a run.
type TelemetryCount struct {
	Spans    int // that were exported
	Unkept   int // that sampling left out
	Lost     int
	Overflow int // for which the exporter's queue had no room
	Logs     int
	Points   int
	Requests int
}

// A lateSpan is one that arrives at a time.
type lateSpan struct {
	due  Time
	span span
}

func newTap(s *Sim, sink Sink, epoch time.Time) *tap {
	t := &tap{sim: s, sink: sink, base: s.model.Telemetry, epoch: uint64(epoch.UnixNano())}
	if t.base.Sampling == 0 {
		t.base.Sampling = 1
	}
	if t.base.Scrape == 0 {
		t.base.Scrape = 10 * time.Second
	}
	if t.base.Environment == "" {
		t.base.Environment = "simulation"
	}
	t.spec = t.base
	t.ent = s.engine.Add(t)
	if sink != nil {
		t.enc, t.side = newEncoder(sink.Format()), newEncoder(sink.Format())
		t.describe()
	}
	return t
}

// apply computes the parameters anew.
func (t *tap) apply(over func(instance int, set setter)) {
	spec := t.base
	over(0, spec.set)
	t.spec = spec
	for station, i := range t.now {
		if i != none {
			is := t.identities[i]
			is.skew = spec.Skew
			t.become(int32(station), is)
		}
	}
}

// begin starts the clock of exports and scrapes.
func (t *tap) begin() { t.sim.engine.At(Time(time.Second), t.ent, telemetryTick, 0) }

// Handle sends what was told in the last second.
func (t *tap) Handle(e *Engine, _ uint16, _ uint64) {
	if t.sink == nil { // a run that was restored tells nothing
		return
	}
	t.flush()
	every := Time(t.spec.Scrape)
	if e.now/every != (e.now-Time(time.Second))/every {
		t.scrape()
	}
	e.At(e.now+Time(time.Second), t.ent, telemetryTick, 0)
}

// flush sends what waits, and what arrives late and is due.
func (t *tap) flush() {
	now := t.sim.engine.now
	n := 0
	for n < len(t.late) && t.late[n].due <= now {
		t.export(t.late[n].span)
		n++
	}
	t.late = append(t.late[:0], t.late[n:]...)
	n = 0
	for n < len(t.lateLogs) && t.lateLogs[n].due <= now {
		t.log(t.lateLogs[n].record)
		n++
	}
	t.lateLogs = t.lateLogs[n:]
	t.sendSpans()
	t.sendLogs()
	t.taken = 0
}

// send gives a request to the sink. The first error stops the run.
func (t *tap) send(signal Signal) {
	t.count.Requests++
	if t.err != nil {
		return
	}
	if err := t.sink.Send(signal, t.enc.bytes()); err != nil {
		t.err = fmt.Errorf("send %s: %w", signal, err)
		t.sim.engine.Stop()
	}
}

// at is a virtual time on the clock that who tells of it had, whose identity is none
// for what has no clock of its own.
func (t *tap) at(v Time, as int32) uint64 {
	now := t.epoch + uint64(v)
	if as == none {
		return now
	}
	if is := &t.identities[as]; is.skew > 0 {
		u := unit01(mix(t.sim.seed^0x736b6577), int(t.resources[is.resource].station))
		now += uint64(int64((2*u - 1) * float64(is.skew)))
	}
	return now
}
