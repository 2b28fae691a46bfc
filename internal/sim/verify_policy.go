package sim

import (
	"fmt"
	"math"
	"time"
)

// verifyOpenClosed: one in a thousand requests takes 10 ms and the others 0.1 ms
// (Brooker, 10 May 2023). A closed user hardly sees it; with open arrivals all
// who wait behind it do; and trying again after 15 ms makes the queue grow
// without end.
func verifyOpenClosed(v *verifier) {
	work := Dist{Shape: Choice, Values: []time.Duration{100 * time.Microsecond, 10 * time.Millisecond}, Weights: []float64{.999, .001}}
	const mean = .999*.0001 + .001*.01
	p99 := func(r *Result) float64 { return 1000 * r.Latency.Quantile(.99).Seconds() }
	closed := oneService("closed", 0, 20*time.Second, Service{ServiceTime: work})
	closed.Workloads[0] = Workload{ID: "u", Closed: 1, Think: ConstDist(time.Nanosecond), Entry: "s"}
	got := meanOf(v.runs(8, closed, p99))
	v.add("1 in 1000 takes 10 ms, one closed user: p99", "ms", 1, got, "below", got.high < 1)
	open := oneService("open", .8/mean, 20*time.Second, Service{ServiceTime: work})
	got = meanOf(v.runs(8, open, p99))
	v.add("1 in 1000 takes 10 ms, open, utilisation 0.8: p99", "ms", 25, got, "above 10 (the post: 25)", got.low > 10)
	again := oneService("again", .8/mean, 20*time.Second, Service{ServiceTime: work})
	again.Policies = []Policy{{From: "u", To: "s", Timeout: 15 * time.Millisecond, Retry: Retry{MaxAttempts: 2}}}
	got = meanOf(v.runs(8, again, func(r *Result) float64 {
		s := r.Services[0].Intervals
		return float64(s[len(s)-1].Waiting-s[len(s)/2].Waiting) / (r.End.Seconds() / 2)
	}))
	v.add("the same, tried again after 15 ms: growth of the queue", "/s", 0.6/mean, got, "above 1000", got.low > 1000)
}

// verifyStampede counts the loads of one key each time it expires.
func verifyStampede(v *verifier) {
	const takes = .5
	for _, c := range []struct {
		name  string
		rate  float64
		fill  Fill
		want  float64
		share float64
	}{
		{"nothing", 100, Fill{}, 1 + 100*takes, .03},
		{"nothing", 1000, Fill{}, 1 + 1000*takes, .03},
		{"a lease", 200, Fill{Coalesce: CoalesceLease}, 1, 0},
		{"stale while revalidate", 200, Fill{SWR: 10 * time.Second}, 1, 0},
		// The first load begins after a hazard of Exp(1); those that follow while it is
		// under way have exp(1/beta)-1 times that: exp(1/beta) in all.
		{"early expiry, beta 1", 200, Fill{Early: 1}, math.E, .08},
		{"early expiry, beta 2", 200, Fill{Early: 2}, math.Exp(.5), .08},
	} {
		m := oneService("stampede", c.rate, time.Duration(min(600e3/c.rate, 2400))*time.Second, Service{Servers: 100000, Calls: []Call{{To: "cache"}}})
		m.Caches = []Cache{{ID: "cache", Of: "db", TTL: ConstDist(time.Minute), Fill: c.fill}}
		m.Stores = []Store{{ID: "db", Servers: 100000, Read: ConstDist(500 * time.Millisecond)}}
		got := meanOf(v.runs(8, m, func(r *Result) float64 {
			// Expiries are 30 s apart or more. The first, of an entry that was there from
			// the start, does not count: how long a load takes is not known before.
			loads, expiries, last := 0, -1, -100
			for i, s := range r.Caches[0].Intervals {
				if s.Loads == 0 {
					continue
				}
				if i-last > 30 {
					expiries++
				}
				last = i
				if expiries > 0 {
					loads += s.Loads
				}
			}
			return float64(loads) / float64(max(expiries, 1))
		}))
		v.within(fmt.Sprintf("%.0f reads/s of a key that takes 0.5 s to load, %s: loads an expiry", c.rate, c.name), "", c.want, got, c.share)
	}
}

// verifyThrottlers: a demand of 1000/s meets a capacity of 100/s. Who counts what
// it refuses sends K*C, and who does not sqrt(D*C*K), with K = 1/0.9.
func verifyThrottlers(v *verifier) {
	const demand, capacity, k = 1000., 100., 1 / .9
	for _, c := range []struct {
		name    string
		counted bool
		want    float64
	}{{"SRE book", true, k * capacity}, {"failsafe-go", false, math.Sqrt(demand * capacity * k)}} {
		m := oneService("throttler", demand, 100*time.Second, Service{ServiceTime: ConstDist(ten), Queue: Queue{Bound: 20}})
		m.Policies = []Policy{{From: "u", To: "s", AdaptiveThrottler: AdaptiveThrottler{
			FailureRate: .1, Period: 10 * time.Second, MaxRejectionRate: .99, CountRejected: c.counted,
		}}}
		got := meanOf(v.runs(8, m, func(r *Result) float64 {
			e := r.Edge("u", "s", 40*time.Second, r.End)
			return float64(e.Attempts-e.Shed) / 60
		}))
		v.within(fmt.Sprintf("adaptive throttler, %s, 1000/s to a capacity of 100/s: sent", c.name), "/s", c.want, got, .03)
	}
}

// verifyPriority: prefetches come at twelve times their rate for a minute, and
// together with what users do exceed the capacity. Netflix reports that more than
// 99.4 % of what users did succeeded.
func verifyPriority(v *verifier) {
	const from, to = 30 * time.Second, 90 * time.Second
	m := oneService("priority", 400, 120*time.Second, Service{Servers: 10, ServiceTime: ExpDist(ten), Queue: Queue{Discipline: Priority, Bound: 100}})
	m.Workloads = append(m.Workloads, Workload{
		ID: "prefetch", Entry: "s", Priority: 4, Rate: Rate{Const: 200, Steps: []Step{{from, 2400}, {to, 200}}},
	})
	m.Policies = []Policy{{From: "u", To: "s", Timeout: time.Second}, {From: "prefetch", To: "s", Timeout: time.Second}}
	shares := replicate(v, 8, func(seed uint64) ([2]float64, error) {
		var ok, all [2]float64
		s, err := New(m, seed, Settings{Ended: func(e Ended) {
			if e.Start >= Time(from) && e.Start < Time(to) {
				all[e.Workload]++
				if e.OK {
					ok[e.Workload]++
				}
			}
		}})
		if err != nil {
			return [2]float64{}, err
		}
		_, err = s.Run(v.ctx)
		return [2]float64{ok[0] / all[0], ok[1] / all[1]}, err
	})
	var users, prefetch []float64
	for _, x := range shares {
		users, prefetch = append(users, x[0]), append(prefetch, x[1])
	}
	got := meanOf(users)
	v.add("12 times the prefetches: share of users' requests that succeed", "", .994, got, "at least", got.low >= .994)
	// What the users leave of 1000/s.
	v.within("the same: share of prefetches that succeed", "", (1000-400)/2400., meanOf(prefetch), .03)
}
