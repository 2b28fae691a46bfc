package sim_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/sim"
)

// A witness notes what it is told.
type witness struct {
	seen []uint64
	at   []sim.Time
}

func (w *witness) Handle(e *sim.Engine, _ uint16, a uint64) {
	w.seen = append(w.seen, a)
	w.at = append(w.at, e.Now())
}

// The model of an engine is a list that is sorted by time, and stays as it was
// scheduled where times are equal.
func TestEventsHappenInOrderOfTimeThenOfScheduling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type event struct {
			t sim.Time
			a uint64
		}
		var e sim.Engine
		var w witness
		ent := e.Add(&w)
		queues := []int{e.TimeoutQueue(3), e.TimeoutQueue(50)}
		var want []event
		var now sim.Time
		var handles []sim.Handle
		for a := range uint64(rapid.IntRange(1, 200).Draw(t, "n")) {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				at := now + sim.Time(rapid.IntRange(0, 60).Draw(t, "in"))
				handles = append(handles, e.At(at, ent, 1, a))
				want = append(want, event{at, a})
			case 2, 3:
				k := rapid.IntRange(0, 1).Draw(t, "queue")
				handles = append(handles, e.After(queues[k], ent, 1, a))
				want = append(want, event{now + []sim.Time{3, 50}[k], a})
			case 4:
				if len(handles) > 0 {
					k := rapid.IntRange(0, len(handles)-1).Draw(t, "cancel")
					e.Cancel(handles[k])
					if !slices.Contains(w.seen, want[k].a) {
						want[k].t = -1
					}
				}
				continue
			default:
				now += sim.Time(rapid.IntRange(1, 40).Draw(t, "forth"))
				e.RunUntil(now, 0)
			}
		}
		e.RunUntil(now+1000, 0)
		var left []event
		for _, v := range want {
			if v.t >= 0 {
				left = append(left, v)
			}
		}
		slices.SortStableFunc(left, func(x, y event) int { return int(x.t - y.t) })
		var order []uint64
		for _, v := range left {
			order = append(order, v.a)
		}
		if !slices.Equal(order, w.seen) {
			t.Fatalf("happened %v, want %v", w.seen, order)
		}
		if e.Pending() != 0 {
			t.Fatalf("%d events are pending at the end", e.Pending())
		}
	})
}

func TestARunSaysWhyItEnded(t *testing.T) {
	var e sim.Engine
	var w witness
	ent := e.Add(&w)
	if got := e.RunUntil(10, 0); got != sim.QueueEmpty || e.Now() != 10 {
		t.Errorf("an empty engine: %v at %d, want queue empty at 10", got, e.Now())
	}
	e.At(20, ent, 1, 1)
	e.At(21, ent, 1, 2)
	if got := e.RunUntil(15, 0); got != sim.Horizon || e.Now() != 15 {
		t.Errorf("before the first event: %v at %d, want horizon at 15", got, e.Now())
	}
	if got := e.RunUntil(30, 1); got != sim.EventBudget || len(w.seen) != 1 {
		t.Errorf("with a budget of 1: %v after %d events, want event budget after 1", got, len(w.seen))
	}
	e.Add(&w)
	stopper := e.Add(stopper{})
	e.At(22, stopper, 1, 0)
	if got := e.RunUntil(30, 0); got != sim.Stopped || e.Now() != 22 {
		t.Errorf("stopped: %v at %d, want stopped at 22", got, e.Now())
	}
}

type stopper struct{}

func (stopper) Handle(e *sim.Engine, _ uint16, _ uint64) { e.Stop() }

// A pinger keeps n events and n timeouts under way, most of which it cancels.
type pinger struct {
	ent     uint32
	queue   int
	timeout []sim.Handle
}

func (p *pinger) Handle(e *sim.Engine, _ uint16, a uint64) {
	e.Cancel(p.timeout[a])
	p.timeout[a] = e.After(p.queue, p.ent, 1, a)
	e.At(e.Now()+sim.Time(1+(a*7919)%1000), p.ent, 1, a)
}

func TestAnEngineDoesNotAllocateOnceItIsWarm(t *testing.T) {
	var e sim.Engine
	p := &pinger{timeout: make([]sim.Handle, 64), queue: e.TimeoutQueue(5 * time.Microsecond)}
	p.ent = e.Add(p)
	for a := range uint64(64) {
		e.At(sim.Time(a), p.ent, 1, a)
	}
	e.RunUntil(1e6, 0)
	now := e.Now()
	if n := testing.AllocsPerRun(10, func() {
		now += 1e5
		e.RunUntil(now, 0)
	}); n != 0 {
		t.Errorf("%v allocations in a tenth of a virtual millisecond, want 0", n)
	}
}
