package sim_test

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"runtime"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// mustRun runs a model with some conditions on.
func mustRun(t testing.TB, m *sim.Model, seed uint64, on ...string) *sim.Result {
	t.Helper()
	set := make(map[string]bool)
	for _, c := range m.Conditions {
		set[c.ID] = false
	}
	for _, id := range on {
		set[id] = true
	}
	s, err := sim.New(m, seed, sim.Settings{On: set})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// numbers skips a long test of figures where only races are looked for: a run is
// one goroutine, and gives the same figures under the race detector.
func numbers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a matter of figures, which -short leaves out")
	}
}

// payments is one service that can do 300 requests a second.
func payments(rate float64, attempts int) *sim.Model {
	return &sim.Model{
		Name: "payments", Horizon: 3 * time.Minute, SLO: sim.SLO{Under: time.Second},
		Services:  []sim.Service{{ID: "payments", Servers: 30, ServiceTime: sim.ExpDist(100 * time.Millisecond)}},
		Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: rate}, Entry: "payments"}},
		Policies:  []sim.Policy{{From: "users", To: "payments", Timeout: time.Second, Retry: sim.Retry{MaxAttempts: attempts}}},
		Conditions: []sim.Condition{
			{ID: "brownout", Kind: sim.KindFault, Target: "payments", Apply: []sim.Setting{{Param: "speed", Value: 0.01}}, Windows: []sim.Window{{From: 30 * time.Second, To: 40 * time.Second}}},
			{ID: "bounded", Kind: sim.KindConfig, Target: "payments", Apply: []sim.Setting{{Param: "queue.bound", Value: 180}}},
		},
	}
}

func TestARetryStormOutlivesItsTriggerUnlessTheQueueIsBounded(t *testing.T) {
	m := payments(280, 3)
	last := 150 * time.Second
	for _, c := range []struct {
		on   []string
		good float64 // share at the end: at least this, or below 0.1 if 0
	}{
		{nil, 0.99},
		{[]string{"brownout"}, 0},
		{[]string{"brownout", "bounded"}, 0.95},
	} {
		r := mustRun(t, m, 1, c.on...)
		end := r.Total(last, m.Horizon)
		good := float64(end.Good) / float64(end.Offered)
		if c.good == 0 && good > 0.1 || good < c.good {
			t.Errorf("%v: %.3f of requests are good in the last 30 s, want %.2f or more (0: below 0.1)", c.on, good, c.good)
		}
	}
}

// Mean number present by Little's law: utilisation plus rate times the wait of
// Pollaczek and Khinchin.
func TestAQueueIsAsLongAsThePollaczekKhinchinFormulaSays(t *testing.T) {
	numbers(t)
	for _, c := range []struct {
		name string
		dist sim.Dist
		cv2  float64
	}{
		{"M/M/1", sim.ExpDist(10 * time.Millisecond), 1},
		{"M/D/1", sim.ConstDist(10 * time.Millisecond), 0},
		{"M/G/1 lognormal", sim.LogNormalDist(10*time.Millisecond, 1.5), 2.25},
	} {
		const rho = 0.7
		m := &sim.Model{
			Name: c.name, Horizon: 4000 * time.Second,
			Services:  []sim.Service{{ID: "s", ServiceTime: c.dist}},
			Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: rho * 100}, Entry: "s"}},
		}
		r := mustRun(t, m, 7)
		sum := 0.0
		for _, i := range r.Services[0].Intervals {
			sum += i.Mean
		}
		got := sum / float64(len(r.Services[0].Intervals))
		want := rho + rho*rho*(1+c.cv2)/2/(1-rho)
		if math.Abs(got/want-1) > 0.05 {
			t.Errorf("%s: %.4f present on average, want %.4f within 5 %%", c.name, got, want)
		}
	}
}

func digest(t *testing.T, r *sim.Result) [32]byte {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(text)
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	m := payments(280, 3)
	first := digest(t, mustRun(t, m, 5, "brownout"))
	before := runtime.GOMAXPROCS(1)
	again := digest(t, mustRun(t, m, 5, "brownout"))
	runtime.GOMAXPROCS(before)
	if first != again {
		t.Error("two runs with seed 5 differ")
	}
	if first == digest(t, mustRun(t, m, 6, "brownout")) {
		t.Error("runs with seeds 5 and 6 are the same")
	}
}

// Work that was begun before a brownout takes longer too, and what was begun in
// it does not outlast it: with one server and one request at 0 s that needs 10 s
// of work, of which 4 s at half speed, the answer comes after 12 s.
func TestASlowdownHoldsForWorkThatHasBegun(t *testing.T) {
	m := &sim.Model{
		Name: "one", Horizon: time.Minute,
		Services:  []sim.Service{{ID: "s", ServiceTime: sim.ConstDist(10 * time.Second)}},
		Workloads: []sim.Workload{{ID: "u", Rate: sim.Rate{Const: 1}, Entry: "s"}},
		Conditions: []sim.Condition{{
			ID: "half", Kind: sim.KindFault, Target: "s", Apply: []sim.Setting{{Param: "speed", Value: 0.5}},
			Windows: []sim.Window{{From: 4 * time.Second, To: 8 * time.Second}},
		}, {
			ID: "stop", Kind: sim.KindFault, Target: "s", Apply: []sim.Setting{{Param: "speed", Value: 0}},
			Windows: []sim.Window{{From: 4 * time.Second, To: 8 * time.Second}},
		}},
	}
	for _, c := range []struct {
		on   string
		more time.Duration
	}{{"half", 2 * time.Second}, {"stop", 4 * time.Second}} {
		calm, slow := firstAnswer(mustRun(t, m, 3)), firstAnswer(mustRun(t, m, 3, c.on))
		if slow-calm != c.more {
			t.Errorf("%s: the first answer comes in second %v, and without it in %v; want %v later", c.on, slow, calm, c.more)
		}
	}
}

func firstAnswer(r *sim.Result) time.Duration {
	for _, u := range r.Users {
		if u.Good > 0 {
			return u.At
		}
	}
	return -1
}
