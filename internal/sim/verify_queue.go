package sim

import (
	"fmt"
	"math"
	"time"
)

// waits measures the mean wait, in milliseconds, at a station with Poisson
// arrivals, of about so many customers in all. The first tenth of a run is left
// out, since it begins empty.
func (v *verifier) waits(rate, customers float64, s Service) estimate {
	const reps = 32
	length := time.Duration(customers / rate / reps * float64(time.Second))
	m := oneService("queue", rate, length, s)
	return controlled(replicate(v, reps, func(seed uint64) (sample, error) {
		run, err := New(m, seed, Settings{Interval: length / 10})
		if err != nil {
			return sample{}, err
		}
		r, err := run.Run(v.ctx)
		if err != nil {
			return sample{}, err
		}
		c, _ := r.Service("s", length/10, length)
		return sample{
			y:        1000 * (c.Sojourn - c.Work) / float64(c.Done),
			arrivals: float64(c.Arrived) - rate*0.9*length.Seconds(), work: c.Work/float64(c.Done) - s.ServiceTime.Mean.Seconds(),
		}, nil
	}))
}

// erlangC is the share of customers that must wait for one of c servers at an
// offered load of a.
func erlangC(c int, a float64) float64 {
	b := erlangB(c, a)
	return b / (1 - a/float64(c)*(1-b))
}

// erlangB is the share that is lost if nobody may wait.
func erlangB(c int, a float64) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = a * b / (float64(k) + a*b)
	}
	return b
}

// ten is the mean work of most models here: a server does 100 a second.
const ten = 10 * time.Millisecond

func verifyMM1(v *verifier) {
	for _, c := range []struct{ rho, customers float64 }{{.5, 2e6}, {.8, 4e6}, {.9, 12e6}} {
		got := v.waits(c.rho*100, c.customers, Service{ServiceTime: ExpDist(ten)})
		v.within(fmt.Sprintf("M/M/1, utilisation %.1f: mean wait", c.rho), "ms", 10*c.rho/(1-c.rho), got, 0.01)
	}
}

func verifyMMc(v *verifier) {
	for _, c := range []struct {
		servers        int
		rho, customers float64
	}{{4, .8, 3e6}, {16, .9, 8e6}} {
		rate := c.rho * 100 * float64(c.servers)
		got := v.waits(rate, c.customers, Service{Servers: c.servers, ServiceTime: ExpDist(ten)})
		want := 1000 * erlangC(c.servers, rate/100) / (100*float64(c.servers) - rate)
		v.within(fmt.Sprintf("M/M/%d, utilisation %.1f: mean wait", c.servers, c.rho), "ms", want, got, 0.01)
	}
}

func verifyMD1(v *verifier) {
	got := v.waits(80, 2e6, Service{ServiceTime: ConstDist(ten)})
	v.within("M/D/1, utilisation 0.8: mean wait (Pollaczek, Khinchin)", "ms", 20, got, 0.01)
}

func verifyErlangB(v *verifier) {
	m := oneService("loss", 1000, 100*time.Second, Service{Servers: 10, ServiceTime: ExpDist(ten), Queue: Queue{None: true}})
	got := meanOf(v.runs(20, m, func(r *Result) float64 {
		c, _ := r.Service("s", 0, r.End)
		return float64(c.Refused) / float64(c.Arrived)
	}))
	v.within("M/M/10/10, 10 Erlang: share that is lost", "", erlangB(10, 10), got, 0.01)
}

// verifyLittle stops the arrivals half-way, so that everybody has left at the
// end. The time that all have spent at a station is then the area under the
// number present, to the bit but for rounding.
func verifyLittle(v *verifier) {
	worst := 0.0
	for _, m := range littleModels() {
		r, err := v.run(m, 1)
		if err != nil {
			v.err = err
			return
		}
		for _, s := range r.Services {
			c, mean := r.Service(s.ID, 0, r.End)
			if area := mean * r.End.Seconds(); area > 0 {
				worst = max(worst, math.Abs(c.Sojourn/area-1))
			}
		}
	}
	v.add("L = λW at every station of five models: largest relative difference", "", 0, exactly(worst), "at most 1e-9", worst <= 1e-9)
}

// littleModels are systems whose arrivals end after half of the run.
func littleModels() []*Model {
	stops := func(rate float64) Rate { return Rate{Const: rate, Steps: []Step{{At: 50 * time.Second}}} }
	var out []*Model
	for _, q := range []Queue{{Bound: 50}, {Discipline: LIFO}, {Discipline: CoDel}, {Discipline: Sharing}, {DropExpired: true, DropMargin: 50 * time.Millisecond}} {
		m := &Model{
			Name: "little", Horizon: 100 * time.Second,
			Services: []Service{
				{ID: "a", Instances: 2, Servers: 20, ServiceTime: ExpDist(5 * time.Millisecond), Calls: []Call{{To: "b"}, {To: "db", Write: true}}},
				{ID: "b", Servers: 3, ServiceTime: LogNormalDist(20*time.Millisecond, 1), Queue: q},
			},
			Stores:    []Store{{ID: "db", Servers: 5, Write: ExpDist(ten), Locks: 4, Keys: Keys{N: 10}, IO: IO{Capacity: 1, WriteCost: 0.003}}},
			Workloads: []Workload{{ID: "u", Rate: stops(160), Entry: "a"}},
			Policies: []Policy{
				{From: "a", To: "b", Timeout: 300 * time.Millisecond, Cancel: true, Retry: Retry{MaxAttempts: 2}},
				{From: "a", To: "db", Timeout: 500 * time.Millisecond},
			},
			Conditions: []Condition{{
				ID: "slow", Kind: KindFault, Target: "b", Apply: []Setting{{"speed", 0.3}}, Default: true,
				Windows: []Window{{From: 20 * time.Second, To: 30 * time.Second}},
			}},
		}
		out = append(out, m)
	}
	return out
}

// verifyOrder checks what depends on the order of random times.
func verifyOrder(v *verifier) {
	// The longest of n exponential times is H(n) long, and the k-th shortest
	// H(n)-H(n-k).
	for _, c := range []struct{ n, need int }{{10, 10}, {3, 2}} {
		m := oneService("fork", 50, 200*time.Second, Service{Servers: 10000, Calls: []Call{{To: "leaf", Parallel: true, Count: c.n, Need: c.need}}})
		m.Services = append(m.Services, Service{ID: "leaf", Servers: 100000, ServiceTime: ExpDist(100 * time.Millisecond)})
		got := meanOf(v.runs(20, m, func(r *Result) float64 { return 1000 * r.Latency.Mean().Seconds() }))
		want := 0.0
		for k := c.n - c.need + 1; k <= c.n; k++ {
			want += 100 / float64(k)
		}
		v.within(fmt.Sprintf("fork of %d, join of %d: mean latency", c.n, c.need), "ms", want, got, 0.01)
	}
	// Vvedenskaya, Dobrushin, Karpelevich (1996): with two choices, a share
	// rho^(2^k-1) of many servers has k or more present.
	two := 0.0
	for k := range 10 {
		two += math.Pow(.9, math.Exp2(float64(k+1))-1)
	}
	for _, c := range []struct {
		a     Balancing
		want  float64
		share float64
	}{{RandomInstance, 9, .03}, {TwoChoices, two, .03}} {
		m := oneService("balance", 100*.9*100, 60*time.Second, Service{Instances: 100, ServiceTime: ExpDist(ten)})
		m.Policies = []Policy{{From: "u", To: "s", Balance: Balance{Algorithm: c.a}}}
		got := meanOf(v.runs(8, m, func(r *Result) float64 {
			_, mean := r.Service("s", 10*time.Second, r.End)
			return mean / 100
		}))
		v.within(fmt.Sprintf("100 servers at 0.9, %s: mean number present at one", c.a), "", c.want, got, c.share)
	}
}

// verifyClosed checks closed users, and that a shared server does not care how
// demands are distributed.
func verifyClosed(v *verifier) {
	const n, think, work = 20, 1.0, 0.1
	m := oneService("repair", 0, 1000*time.Second, Service{ServiceTime: ExpDist(100 * time.Millisecond)})
	m.Workloads[0] = Workload{ID: "u", Closed: n, Think: ExpDist(time.Second), Entry: "s"}
	present, x := 0.0, 0.0
	for k := 1.0; k <= n; k++ { // mean value analysis (Reiser, Lavenberg 1980)
		takes := work * (1 + present)
		x = k / (think + takes)
		present = x * takes
	}
	got := meanOf(v.runs(20, m, func(r *Result) float64 {
		u := r.Total(100*time.Second, r.End)
		return float64(u.Good) / 900
	}))
	v.within("20 users who think 1 s, work 0.1 s: throughput (machine repair)", "/s", x, got, 0.01)
	for _, d := range []Dist{ConstDist(ten), ExpDist(ten), LogNormalDist(ten, 2)} {
		m := oneService("sharing", 70, 1000*time.Second, Service{ServiceTime: d, Queue: Queue{Discipline: Sharing}})
		got := controlled(replicate(v, 24, func(seed uint64) (sample, error) {
			r, err := v.run(m, seed)
			if err != nil {
				return sample{}, err
			}
			c, _ := r.Service("s", 100*time.Second, r.End)
			return sample{
				y: 1000 * c.Sojourn / float64(c.Done), arrivals: float64(c.Arrived) - 70*900, work: c.Work/float64(c.Done) - 0.01,
			}, nil
		}))
		v.within(fmt.Sprintf("M/G/1 shared, utilisation 0.7, %s: mean latency", d.Shape), "ms", 10/(1-.7), got, 0.02)
	}
}
