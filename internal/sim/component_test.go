package sim_test

import (
	"math"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// within reports a figure that is off by more than a share of what it should be.
func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if !(math.Abs(got-want) <= share*math.Abs(want)) {
		t.Errorf("%s: %.5g, want %.5g within %g %%", what, got, want, 100*share)
	}
}

// one is a service under load.
func one(rate float64, s sim.Service) *sim.Model {
	s.ID = "s"
	return &sim.Model{
		Name: "one", Horizon: 1000 * time.Second, Services: []sim.Service{s},
		Workloads: []sim.Workload{{ID: "u", Rate: sim.Rate{Const: rate}, Entry: "s"}},
	}
}

// erlangB is the share of arrivals that find all c servers busy, and erlangC the
// share that must wait if they may, at an offered load of a.
func erlangB(c int, a float64) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b
}

func erlangC(c int, a float64) float64 {
	b := erlangB(c, a)
	return b / (1 - a/float64(c)*(1-b))
}

func TestABulkheadShedsAsErlangBSays(t *testing.T) {
	numbers(t)
	m := one(100, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db", Optional: true}}})
	m.Stores = []sim.Store{{ID: "db", Servers: 100000, Read: sim.ExpDist(100 * time.Millisecond)}}
	m.Policies = []sim.Policy{{From: "s", To: "db", Bulkhead: sim.Bulkhead{Max: 10}}}
	e := mustRun(t, m, 1).Edge("s", "db", 0, m.Horizon)
	within(t, "share shed", float64(e.Shed)/float64(e.Calls), erlangB(10, 10), 0.03)
}

func TestACallWaitsForAConnectionAsErlangCSays(t *testing.T) {
	numbers(t)
	m := one(80, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db"}}})
	m.Stores = []sim.Store{{ID: "db", Servers: 100000, Read: sim.ExpDist(100 * time.Millisecond)}}
	m.Policies = []sim.Policy{{From: "s", To: "db", Pool: sim.Pool{Max: 10}}}
	r := mustRun(t, m, 1)
	want := 0.1 + erlangC(10, 8)/(100-80)
	within(t, "mean latency", r.Latency.Mean().Seconds(), want, 0.05)
}

// The high class of a non-preemptive M/M/1 waits R/(1-p1) and the low one
// R/((1-p1)(1-p)), with R the mean work left of whom one meets (Cobham, 1954).
func TestPrioritiesWaitAsCobhamSays(t *testing.T) {
	numbers(t)
	m := one(40, sim.Service{ServiceTime: sim.ExpDist(10 * time.Millisecond), Queue: sim.Queue{Discipline: sim.Priority}})
	m.Horizon = 4000 * time.Second
	m.Workloads = append(m.Workloads, sim.Workload{ID: "batch", Rate: sim.Rate{Const: 40}, Entry: "s", Priority: 4})
	var sum [2]float64
	var n [2]int
	s, err := sim.New(m, 1, sim.Settings{Ended: func(e sim.Ended) {
		sum[e.Workload] += (e.End - e.Start).Seconds()
		n[e.Workload]++
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	const left = 0.8 * 0.01
	within(t, "high", sum[0]/float64(n[0]), 0.01+left/(1-0.4), 0.03)
	within(t, "low", sum[1]/float64(n[1]), 0.01+left/(1-0.4)/(1-0.8), 0.05)
}

// N users who think for Z and share one server are the machine-repair model.
func TestClosedUsersAreTheMachineRepairModel(t *testing.T) {
	numbers(t)
	const n, z, s = 20, 1.0, 0.1
	m := one(0, sim.Service{ServiceTime: sim.ExpDist(100 * time.Millisecond)})
	m.Horizon = 10000 * time.Second
	m.Workloads[0] = sim.Workload{ID: "u", Closed: n, Think: sim.ExpDist(time.Second), Entry: "s"}
	r := mustRun(t, m, 1)
	// Mean value analysis.
	queue, x := 0.0, 0.0
	for k := 1.0; k <= n; k++ {
		resp := s * (1 + queue)
		x = k / (z + resp)
		queue = x * resp
	}
	total := r.Total(0, m.Horizon)
	within(t, "throughput", float64(total.Good)/m.Horizon.Seconds(), x, 0.03)
	within(t, "mean latency", r.Latency.Mean().Seconds(), queue/x, 0.03)
}

func TestIOCapsAStoreAndABackupTakesItsShare(t *testing.T) {
	m := one(3000, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db"}}})
	m.Horizon = 20 * time.Second
	m.Stores = []sim.Store{{ID: "db", Servers: 40, Read: sim.ConstDist(time.Millisecond), IO: sim.IO{Capacity: 1, ReadCost: 0.0005}}}
	m.Conditions = []sim.Condition{{
		ID: "backup", Kind: sim.KindCron, Target: "db", Apply: []sim.Setting{{Param: "io.take", Value: 0.45}},
		Windows: []sim.Window{{From: 10 * time.Second}},
	}}
	r := mustRun(t, m, 1, "backup")
	before, _ := r.Service("db", 2*time.Second, 10*time.Second)
	during, _ := r.Service("db", 10*time.Second, 20*time.Second)
	within(t, "reads a second before", float64(before.Done)/8, 2000, 0.01)
	within(t, "reads a second during the backup", float64(during.Done)/10, 1100, 0.01)
}

func TestAHotRowLetsOneWriteThroughAtATime(t *testing.T) {
	m := one(200, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db", Write: true}}})
	m.Horizon = 20 * time.Second
	m.Stores = []sim.Store{{ID: "db", Servers: 50, Write: sim.ConstDist(20 * time.Millisecond), Locks: 64, Keys: sim.Keys{N: 64}}}
	spread, _ := mustRun(t, m, 1).Service("db", 5*time.Second, 20*time.Second)
	within(t, "writes a second to 64 rows", float64(spread.Done)/15, 200, 0.05)
	m.Stores[0].Keys = sim.Keys{N: 64, Hot: 1}
	hot, _ := mustRun(t, m, 1).Service("db", 5*time.Second, 20*time.Second)
	within(t, "writes a second to one row", float64(hot.Done)/15, 50, 0.01)
}

func TestATableLockStopsWritesUntilItIsGiven(t *testing.T) {
	m := one(20, sim.Service{Servers: 100000, Calls: []sim.Call{{To: "db", Write: true}}})
	m.Horizon = 30 * time.Second
	m.Stores = []sim.Store{{ID: "db", Servers: 1000, Write: sim.ConstDist(time.Millisecond)}}
	m.Conditions = []sim.Condition{{
		ID: "migration", Kind: sim.KindDeploy, Target: "db", Apply: []sim.Setting{{Param: "locked", Value: true}},
		Windows: []sim.Window{{From: 10 * time.Second, To: 20 * time.Second}},
	}}
	r := mustRun(t, m, 1, "migration")
	if got, _ := r.Service("db", 11*time.Second, 20*time.Second); got.Done != 0 {
		t.Errorf("%d writes were done while the table was locked, want 0", got.Done)
	}
	if got := r.Users[len(r.Users)-1].InFlight; got > 2 {
		t.Errorf("%d requests are still under way 10 s after the lock, want none to be stuck", got)
	}
}

// With one key, a read is stale if a write came in the lag before it.
func TestAReplicaIsBehindByItsLag(t *testing.T) {
	numbers(t)
	m := one(50, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "db"}}})
	m.Services = append(m.Services, sim.Service{ID: "writer", Servers: 1000, Calls: []sim.Call{{To: "db", Write: true}}})
	m.Workloads = append(m.Workloads, sim.Workload{ID: "w", Rate: sim.Rate{Const: 2}, Entry: "writer"})
	m.Stores = []sim.Store{{ID: "db", Servers: 1000, Replicas: 2, Lag: 300 * time.Millisecond}}
	m.Rules = []sim.Rule{{ID: "r", At: "s", When: []sim.Atom{{Entity: "db", Dimension: "read", Value: "stale"}}, Harm: "stale read"}}
	r := mustRun(t, m, 1)
	within(t, "stale reads", float64(r.Harms["stale read"])/(50*1000), 1-math.Exp(-2*0.3), 0.03)
}

func TestALostMessageIsTriedAgain(t *testing.T) {
	numbers(t)
	m := one(100, sim.Service{Servers: 100})
	m.Policies = []sim.Policy{{
		From: "u", To: "s", Timeout: 100 * time.Millisecond, Retry: sim.Retry{MaxAttempts: -1},
		Network: sim.Network{Delay: sim.ConstDist(10 * time.Millisecond), Loss: 0.1},
	}}
	r := mustRun(t, m, 1)
	e := r.Edge("u", "s", 0, m.Horizon)
	within(t, "attempts a call", float64(e.Attempts)/float64(e.Calls), 1/(0.9*0.9), 0.01)
	within(t, "fastest", r.Latency.Quantile(0.01).Seconds(), 0.02, 0.01)
}

// A failure needs both, and comes as often as both meet.
func TestARuleWaitsForItsCombination(t *testing.T) {
	numbers(t)
	m := one(100, sim.Service{Servers: 1000, Calls: []sim.Call{{To: "cart"}, {To: "pricing"}}})
	m.Services = append(m.Services,
		sim.Service{ID: "cart", Version: "1", Instances: 4, Servers: 1000},
		sim.Service{ID: "pricing", Servers: 1000, Flags: []sim.Flag{{Key: "rounding", Default: "half-up", Variant: "banker"}}})
	m.Rules = []sim.Rule{{
		ID: "mix", At: "pricing", Prob: 0.5, Error: "RoundingMismatch",
		When: []sim.Atom{{Entity: "cart", Dimension: "version", Value: "2"}, {Entity: "pricing", Dimension: "rounding", Value: "banker"}},
	}}
	m.Conditions = []sim.Condition{
		{ID: "deploy", Kind: sim.KindDeploy, Target: "cart", Apply: []sim.Setting{{Param: "version", Value: "2"}}, Instances: []int{0, 1}},
		{ID: "flag", Kind: sim.KindFlag, Target: "pricing", Apply: []sim.Setting{{Param: "flag.rounding", Value: "banker"}, {Param: "flag.rounding.share", Value: 0.4}}},
	}
	for _, c := range []struct {
		on   []string
		want float64
	}{{nil, 0}, {[]string{"deploy"}, 0}, {[]string{"flag"}, 0}, {[]string{"deploy", "flag"}, 0.5 * 0.4 * 0.5}} {
		r := mustRun(t, m, 1, c.on...)
		all := r.Total(0, m.Horizon)
		within(t, "share failed", float64(all.Failed)/float64(all.Offered), c.want, 0.03)
	}
}

func TestARolloutGoesInstanceByInstanceAndBalancersLearnLate(t *testing.T) {
	m := one(200, sim.Service{Version: "1", Instances: 4, Servers: 1000, ServiceTime: sim.ConstDist(10 * time.Millisecond)})
	m.Horizon = 2 * time.Minute
	m.Conditions = []sim.Condition{{
		ID: "deploy", Kind: sim.KindDeploy, Target: "s", Apply: []sim.Setting{{Param: "version", Value: "2"}},
		Windows: []sim.Window{{From: 10 * time.Second}}, Stagger: 20 * time.Second, Drain: 2 * time.Second, Restart: 5 * time.Second,
	}}
	m.Rules = []sim.Rule{{ID: "seen", At: "s", When: []sim.Atom{{Entity: "s", Dimension: "version", Value: "2"}}, Harm: "on 2"}}
	r := mustRun(t, m, 1, "deploy")
	if all := r.Total(0, m.Horizon); all.Failed > 0 {
		t.Errorf("%d requests failed while balancers knew at once, want 0", all.Failed)
	}
	// New from 17 s: 1 of 4 for 20 s, of which 7 s with 3 there, and so on.
	want := 200 * (13*1/4. + 7*1/3. + 13*2/4. + 7*2/3. + 13*3/4. + 7*3/3. + 43)
	within(t, "requests on version 2", float64(r.Harms["on 2"]), want, 0.05)
	m.Policies = []sim.Policy{{From: "u", To: "s", Balance: sim.Balance{Discovery: sim.ConstDist(time.Second)}}}
	r = mustRun(t, m, 1, "deploy")
	// For a second after it stops taking requests, each gets its quarter of them.
	within(t, "requests that went nowhere", float64(r.Total(0, m.Horizon).Failed), 4*200/4., 0.1)
}

func TestBalancersDifferInTheLongestQueue(t *testing.T) {
	numbers(t)
	longest := func(a sim.Balancing) float64 {
		m := one(900, sim.Service{Instances: 10, ServiceTime: sim.ExpDist(10 * time.Millisecond)})
		m.Horizon = 200 * time.Second
		m.Policies = []sim.Policy{{From: "u", To: "s", Balance: sim.Balance{Algorithm: a}}}
		return mustRun(t, m, 1).Latency.Mean().Seconds()
	}
	within(t, "random is M/M/1", longest(sim.RandomInstance), 0.1, 0.1)
	two, least := longest(sim.TwoChoices), longest(sim.LeastConnections)
	if two > 0.05 || least > two {
		t.Errorf("mean latency %.4f s with two choices and %.4f s with least connections; want below 0.05 s, and less", two, least)
	}
}

func TestCoDelKeepsTheWaitShortUnderOverload(t *testing.T) {
	m := one(130, sim.Service{ServiceTime: sim.ExpDist(10 * time.Millisecond)})
	m.Horizon = 100 * time.Second
	fifo := mustRun(t, m, 1).Latency.Quantile(.5)
	m.Services[0].Queue.Discipline = sim.CoDel
	r := mustRun(t, m, 1)
	if got := r.Latency.Quantile(.5); got > 250*time.Millisecond || got > fifo/10 {
		t.Errorf("median latency %v with CoDel and %v without; want a tenth and 250 ms at most", got, fifo)
	}
	done, _ := r.Service("s", 10*time.Second, m.Horizon)
	within(t, "work done a second", done.Work/90, 1, 0.1)
}

func TestTheTimeoutOfAPolicyGoesBeforePatience(t *testing.T) {
	m := one(10, sim.Service{Servers: 1000, ServiceTime: sim.ConstDist(time.Second)})
	m.Horizon = 20 * time.Second
	m.Workloads[0].Patience = 5 * time.Second
	if u := mustRun(t, m, 1).Total(0, m.Horizon); u.Failed > 0 {
		t.Errorf("%d failed within a patience of 5 s, want 0", u.Failed)
	}
	m.Policies = []sim.Policy{{From: "u", To: "s", Timeout: 100 * time.Millisecond}}
	if u := mustRun(t, m, 1).Total(0, m.Horizon); u.Good > 0 {
		t.Errorf("%d were good after a timeout of 100 ms, want 0", u.Good)
	}
}

func TestCancellationSavesTheWorkNobodyWaitsFor(t *testing.T) {
	m := one(200, sim.Service{Servers: 10, ServiceTime: sim.ExpDist(100 * time.Millisecond)})
	m.Horizon = time.Minute
	m.Policies = []sim.Policy{{From: "u", To: "s", Timeout: 200 * time.Millisecond}}
	without := mustRun(t, m, 1).Total(10*time.Second, m.Horizon)
	m.Policies[0].Cancel = true
	with := mustRun(t, m, 1).Total(10*time.Second, m.Horizon)
	if without.Good > 50 || with.Good < 4000 {
		t.Errorf("%d requests are good without and %d with cancellation; want almost none, and most of the capacity", without.Good, with.Good)
	}
}

func TestALeakTakesServersUntilTheInstanceIsRestarted(t *testing.T) {
	m := one(50, sim.Service{Servers: 20, ServiceTime: sim.ConstDist(10 * time.Millisecond)})
	m.Horizon = time.Minute
	m.Policies = []sim.Policy{{From: "u", To: "s", Timeout: time.Second}}
	m.Rules = []sim.Rule{{ID: "leak", At: "s", Prob: 0.02, Leak: true}}
	m.Conditions = []sim.Condition{{
		ID: "restart", Kind: sim.KindDeploy, Target: "s", Apply: []sim.Setting{{Param: "down", Value: true}},
		Windows: []sim.Window{{From: 45 * time.Second, To: 46 * time.Second}},
	}}
	r := mustRun(t, m, 1, "restart")
	if got := r.Total(5*time.Second, 10*time.Second); got.Good < 200 {
		t.Errorf("%d good requests at first, want nearly all of 250", got.Good)
	}
	if got := r.Total(35*time.Second, 45*time.Second); got.Good > 0 {
		t.Errorf("%d good requests after 20 servers leaked, want 0", got.Good)
	}
	if got := r.Total(47*time.Second, 52*time.Second); got.Good < 200 {
		t.Errorf("%d good requests after the restart, want nearly all of 250", got.Good)
	}
}

func TestBurstsAndHoursChangeTheRate(t *testing.T) {
	numbers(t)
	m := one(0, sim.Service{Servers: 100})
	m.Horizon = 10000 * time.Second
	m.Workloads[0].Rate = sim.Rate{Const: 10, Burst: sim.Burst{Factor: 5, Every: 30 * time.Second, For: 10 * time.Second}}
	within(t, "bursty rate", float64(mustRun(t, m, 1).Total(0, m.Horizon).Offered)/10000, 10*(30+5*10)/40., 0.05)
	m.Workloads[0].Rate = sim.Rate{Diurnal: sim.Diurnal{Base: 5, Peak: 50, PeakAt: 5000 * time.Second, Width: 500 * time.Second}}
	within(t, "diurnal requests", float64(mustRun(t, m, 1).Total(0, m.Horizon).Offered), 5*10000+45*500*math.Sqrt(2*math.Pi), 0.02)
	m.Workloads[0].Rate = sim.Rate{Const: 1, Steps: []sim.Step{{At: 4000 * time.Second, Rate: 20}, {At: 6000 * time.Second, Rate: 0}}}
	within(t, "stepped requests", float64(mustRun(t, m, 1).Total(0, m.Horizon).Offered), 4000+2000*20, 0.02)
}
