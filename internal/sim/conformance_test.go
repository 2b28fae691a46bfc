package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"example.test/eddy/internal/sim"
)

// The policies of the simulator are written anew, to be quick and to keep no
// goroutine waiting. Here each decides beside the real one, on the same calls in
// the same virtual time.

// now is the time of the bubble.
func now() sim.Time { return sim.Time(time.Now().UnixNano()) }

func TestTheBreakerDecidesAsFailsafeGoDoes(t *testing.T) {
	second := time.Second
	for _, c := range []struct {
		name string
		spec sim.CircuitBreaker
		real func() circuitbreaker.CircuitBreaker[any]
	}{
		{"3 in a row", sim.CircuitBreaker{FailureThreshold: 3, Delay: second}, func() circuitbreaker.CircuitBreaker[any] {
			return circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(second).Build()
		}},
		{"3 of 8", sim.CircuitBreaker{FailureThreshold: 3, FailureCapacity: 8, Delay: second}, func() circuitbreaker.CircuitBreaker[any] {
			return circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(3, 8).WithDelay(second).Build()
		}},
		{"4 of 6 to open and 2 of 3 to close", sim.CircuitBreaker{FailureThreshold: 4, FailureCapacity: 6, SuccessThreshold: 2, SuccessCapacity: 3, Delay: second}, func() circuitbreaker.CircuitBreaker[any] {
			return circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(4, 6).WithSuccessThresholdRatio(2, 3).WithDelay(second).Build()
		}},
		{"5 in 2 s", sim.CircuitBreaker{FailureThreshold: 5, Period: 2 * second, Delay: second}, func() circuitbreaker.CircuitBreaker[any] {
			return circuitbreaker.NewBuilder[any]().WithFailureThresholdPeriod(5, 2*second).WithDelay(second).Build()
		}},
		{"half of 10 in 2 s", sim.CircuitBreaker{FailureRate: 0.5, MinExecutions: 10, Period: 2 * second, Delay: second}, func() circuitbreaker.CircuitBreaker[any] {
			return circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.5, 10, 2*second).WithDelay(second).Build()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				visited := make(map[int]bool)
				for seed := range uint64(20) {
					r := rand.New(rand.NewPCG(seed, 1))
					twin, real := sim.NewBreaker(c.spec), c.real()
					fails := r.Float64()
					var pending []bool // how those that were let through will end
					for step := range 600 {
						if step%150 == 0 {
							fails = r.Float64()
						}
						<-time.After(time.Duration(r.ExpFloat64() * float64(60*time.Millisecond)))
						if len(pending) > 0 && (len(pending) == 4 || r.Float64() < 0.5) {
							ok := pending[0]
							pending = pending[1:]
							twin.Record(now(), ok)
							if ok {
								real.RecordSuccess()
							} else {
								real.RecordFailure()
							}
						} else {
							a, b := twin.Permit(now()), real.TryAcquirePermit()
							if a != b {
								t.Fatalf("seed %d, step %d: lets through %v, and failsafe-go %v", seed, step, a, b)
							}
							if a {
								pending = append(pending, r.Float64() >= fails)
							}
						}
						want := map[circuitbreaker.State]int{circuitbreaker.ClosedState: 0, circuitbreaker.OpenState: 1, circuitbreaker.HalfOpenState: 2}[real.State()]
						visited[want] = true
						if twin.State() != want {
							t.Fatalf("seed %d, step %d: in state %d, and failsafe-go in %v", seed, step, twin.State(), real.State())
						}
					}
				}
				if len(visited) != 3 {
					t.Errorf("states %v were met, want all three", visited)
				}
			})
		})
	}
}

func TestTheRateLimiterWaitsAsFailsafeGoDoes(t *testing.T) {
	for _, c := range []struct {
		name string
		spec sim.RateLimiter
		real func() ratelimiter.RateLimiter[any]
	}{
		{"smooth", sim.RateLimiter{Interval: 10 * time.Millisecond, MaxWait: 35 * time.Millisecond}, func() ratelimiter.RateLimiter[any] {
			return ratelimiter.NewSmoothBuilderWithMaxRate[any](10 * time.Millisecond).Build()
		}},
		{"bursty", sim.RateLimiter{Max: 7, Period: 100 * time.Millisecond, MaxWait: 150 * time.Millisecond}, func() ratelimiter.RateLimiter[any] {
			return ratelimiter.NewBurstyBuilder[any](7, 100*time.Millisecond).Build()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 1))
				real, began := c.real(), time.Now()
				twin := sim.NewLimiter(c.spec)
				refused, waited := 0, 0
				for step := range 2000 {
					<-time.After(time.Duration(r.ExpFloat64() * float64(11*time.Millisecond)))
					want := real.TryReservePermit(c.spec.MaxWait)
					got, ok := twin.Reserve(sim.Time(time.Since(began)))
					if ok != (want >= 0) || ok && got.Duration() != want {
						t.Fatalf("step %d: waits %v (%v), and failsafe-go %v", step, got.Duration(), ok, want)
					}
					if !ok {
						refused++
					}
					if want > 0 {
						waited++
					}
				}
				if refused == 0 || waited == 0 {
					t.Errorf("%d were refused and %d waited, want some of each", refused, waited)
				}
			})
		})
	}
}

func TestTheThrottlerRefusesAsFailsafeGoDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		real := adaptivethrottler.NewBuilder[any]().WithFailureRateThreshold(0.1, 20, 10*time.Second).Build()
		twin := sim.NewThrottler(sim.AdaptiveThrottler{FailureRate: 0.1, MinExecutions: 20, Period: 10 * time.Second})
		most := 0.0
		for step := range 5000 {
			<-time.After(time.Duration(r.ExpFloat64() * float64(20*time.Millisecond)))
			real.TryAcquirePermit() // it works its rate out when it is asked
			if got, want := twin.Refusal(), real.RejectionRate(); got != want {
				t.Fatalf("step %d: refuses %v, and failsafe-go %v", step, got, want)
			}
			most = max(most, twin.Refusal())
			if r.Float64() < 0.5+0.5*math.Sin(float64(step)/500) {
				twin.Record(now(), false)
				real.RecordFailure()
			} else {
				twin.Record(now(), true)
				real.RecordSuccess()
			}
		}
		if most < 0.5 {
			t.Errorf("refuses %.2f at most, want a trace that makes it refuse more", most)
		}
	})
}

// The trace is a server that slows down beyond 30 at a time, under a load that
// comes and goes.
func TestTheAdaptiveLimiterMovesAsFailsafeGoDoes(t *testing.T) {
	numbers(t)
	synctest.Test(t, func(t *testing.T) {
		type attempt struct {
			began  time.Time
			n      int
			permit adaptivelimiter.Permit
		}
		r := rand.New(rand.NewPCG(1, 1))
		real := adaptivelimiter.NewBuilder[any]().WithLimits(1, 200, 20).Build()
		twin := sim.NewAdaptive(sim.AdaptiveLimiter{Max: 200})
		var under []attempt
		limits := make(map[int]bool)
		for step := range 60000 {
			want := 10 + int(60*(1+math.Sin(float64(step)/4000)))
			if len(under) < want && r.Float64() < 0.6 {
				permit, ok := real.TryAcquirePermit()
				n, also := twin.Permit()
				switch {
				case ok && also:
					under = append(under, attempt{time.Now(), n, permit})
				case ok:
					permit.Drop()
				case also:
					twin.Drop(now(), n)
				}
			}
			// At most 30 make progress at a time: a thousand in a second each.
			<-time.After(time.Duration(r.ExpFloat64() * float64(2*time.Millisecond)))
			if len(under) > 0 && r.Float64() < 0.8*min(1, float64(len(under))/30)*(0.6+0.4*math.Cos(float64(step)/9000)) {
				k := r.IntN(len(under))
				a := under[k]
				under[k] = under[len(under)-1]
				under = under[:len(under)-1]
				a.permit.Record()
				twin.Record(now(), sim.Time(time.Since(a.began)), a.n)
			}
			limits[real.Limit()] = true
			if d := math.Abs(float64(twin.Limit() - real.Limit())); d > max(1, 0.02*float64(real.Limit())) {
				t.Fatalf("step %d: the limit is %d, and failsafe-go's %d", step, twin.Limit(), real.Limit())
			}
		}
		if len(limits) < 10 {
			t.Errorf("the limit takes %d values, want a trace that moves it", len(limits))
		}
	})
}

func TestDelaysBetweenAttemptsGrowAsFailsafeGosDo(t *testing.T) {
	var real []time.Duration
	synctest.Test(t, func(*testing.T) {
		policy := retrypolicy.NewBuilder[any]().WithMaxAttempts(7).WithBackoff(100*time.Millisecond, 1500*time.Millisecond).
			OnRetryScheduled(func(e failsafe.ExecutionScheduledEvent[any]) { real = append(real, e.Delay) }).Build()
		_, _ = failsafe.With(policy).Get(func() (any, error) { return nil, errors.New("down") }) // it fails, that is the point
	})
	m := one(0, sim.Service{Error: 1})
	m.Horizon = 30 * time.Second
	m.Workloads[0] = sim.Workload{ID: "u", Closed: 1, Think: sim.ConstDist(10 * time.Second), Entry: "s"}
	m.Policies = []sim.Policy{{From: "u", To: "s", Retry: sim.Retry{MaxAttempts: 7, Backoff: sim.Backoff{Base: 100 * time.Millisecond, Cap: 1500 * time.Millisecond}}}}
	var took sim.Time
	s, err := sim.New(m, 1, sim.Settings{Ended: func(e sim.Ended) { took = e.End - e.Start }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum := time.Duration(0)
	for _, d := range real {
		sum += d
	}
	if len(real) != 6 || took.Duration() != sum {
		t.Errorf("7 attempts take %v, and failsafe-go waits %v, together %v", took.Duration(), real, sum)
	}
}

// What a budget of retries under way lets through depends on how long failures
// take, so a load has to be played. The real policy runs in a bubble of virtual
// time with a goroutine for each call.
func TestTheBudgetOfRetriesUnderWayAmplifiesAsFailsafeGosDoes(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		fails  time.Duration
		delay  time.Duration
		budget float64
	}{
		{1000, 100 * time.Millisecond, 0, 0.2},
		{1000, 100 * time.Millisecond, 0, 0.1},
		{1000, 10 * time.Millisecond, 0, 0.1},
		{1000, 100 * time.Millisecond, 100 * time.Millisecond, 0.1},
		{100, time.Millisecond, 100 * time.Millisecond, 0.2},
	} {
		name := fmt.Sprintf("%v a second, %v to fail, %v delay, budget %v", c.rate, c.fails, c.delay, c.budget)
		t.Run(name, func(t *testing.T) {
			const length = 4 * time.Second
			real := 0.0
			synctest.Test(t, func(t *testing.T) { real = amplification(t.Context(), c.rate, c.fails, c.delay, c.budget, length) })
			m := one(c.rate, sim.Service{Servers: 100000, ServiceTime: sim.ConstDist(c.fails), Error: 1})
			m.Horizon = length
			m.Policies = []sim.Policy{{From: "u", To: "s", Retry: sim.Retry{MaxAttempts: 3, Delay: c.delay, Budget: sim.Budget{Inflight: sim.InflightBudget{MaxRate: c.budget}}}}}
			e := mustRun(t, m, 1).Edge("u", "s", 0, length)
			within(t, "attempts a call beside failsafe-go's", float64(e.Attempts)/float64(e.Calls), real, 0.06)
		})
	}
}

// amplification plays a load on the real policy and returns the attempts a call.
func amplification(ctx context.Context, rate float64, fails, delay time.Duration, share float64, length time.Duration) float64 {
	builder := retrypolicy.NewBuilder[any]().WithMaxAttempts(3).WithBudget(budget.NewBuilder().WithMaxRate(share).Build())
	if delay > 0 {
		builder = builder.WithDelay(delay)
	}
	policy := builder.Build()
	r := rand.New(rand.NewPCG(7, 7))
	var attempts atomic.Int64
	var wg sync.WaitGroup
	calls := 0
	end := time.Now().Add(length)
	for {
		<-time.After(time.Duration(r.ExpFloat64() / rate * float64(time.Second)))
		if !time.Now().Before(end) {
			break
		}
		calls++
		wg.Go(func() {
			_ = failsafe.With(policy).WithContext(ctx).Run(func() error { // it fails, that is the point
				attempts.Add(1)
				<-time.After(fails)
				return errors.New("down")
			})
		})
	}
	wg.Wait()
	return float64(attempts.Load()) / float64(calls)
}
