package sim_test

import (
	"reflect"
	"testing"
	"time"
	"unsafe"

	"example.test/eddy/internal/sim"
)

// everything is a model with all that a run keeps state of.
func everything() *sim.Model {
	ms := time.Millisecond
	return &sim.Model{
		Name: "everything", Horizon: time.Minute, SLO: sim.SLO{Under: time.Second},
		Services: []sim.Service{
			{
				ID: "web", Instances: 3, Servers: 64, ServiceTime: sim.LogNormalDist(3*ms, 0.6), Calls: []sim.Call{{To: "cache"}, {To: "pay", Prob: 0.3, Optional: true}}, Speaks: "v2", Saga: sim.SagaOutbox, Memory: sim.Memory{Limit: 100, Base: 20, Leak: 0.05, Request: 1, Collector: 0.1, Restart: 2 * time.Second},
				Pause: sim.Pause{Every: sim.ExpDist(5 * time.Second), For: sim.ConstDist(50 * ms)}, Slowdown: sim.Slowdown{Above: 30, Factor: 1},
			},
			{
				ID: "pay", Version: "1", Instances: 2, Servers: 4, ServiceTime: sim.ExpDist(10 * ms), Calls: []sim.Call{{To: "db", Write: true}, {To: "orders"}, {To: "ring", Write: true}, {To: "ring"}},
				Queue: sim.Queue{Discipline: sim.CoDel, Bound: 100}, Effect: "charge", Format: sim.DataFormat{Reads: "v1 v2", Translate: sim.ConstDist(ms)}, Flags: []sim.Flag{{Key: "f", Default: "a", Variant: "b", Share: 0.3}},
			},
			{ID: "worker", Instances: 2, Servers: 4, ServiceTime: sim.ExpDist(5 * ms), Error: 0.05, Growth: sim.Growth{Exponent: 2, Typical: 2}, Startup: sim.Startup{Takes: sim.ExpDist(time.Second)}, Format: sim.DataFormat{Reads: "v1", Lenient: true}, ColdStart: sim.ColdStart{Takes: sim.ConstDist(20 * ms), KeepAlive: time.Second}, Scale: sim.Scale{Max: 4, Target: 0.3, Every: 5 * time.Second, Startup: sim.ExpDist(2 * time.Second), Cooldown: 10 * time.Second}},
		},
		Caches:        []sim.Cache{{ID: "cache", Of: "db", Entries: 200, Policy: sim.TinyLFU, TTL: sim.UniformDist(2*time.Second, 4*time.Second), Keys: sim.Keys{N: 1000, Zipf: 1}, Latency: ms, Fill: sim.Fill{Coalesce: sim.CoalesceLease, SWR: time.Second}}},
		Stores:        []sim.Store{{ID: "db", Servers: 20, Read: sim.ExpDist(20 * ms), Write: sim.ExpDist(5 * ms), Shards: 2, Replicas: 1, Lag: 100 * ms, Locks: 16, Keys: sim.Keys{N: 1000, Zipf: 1}, IO: sim.IO{Capacity: 1, ReadCost: .001, WriteCost: .002}}, {ID: "ring", Servers: 20, Read: sim.ExpDist(5 * ms), Write: sim.ExpDist(5 * ms), Shards: 2, Replicas: 2, Quorum: sim.Quorum{Read: 2, Write: 2}, Split: 2, Keys: sim.Keys{N: 20, Hot: 0.5}}},
		Quotas:        []sim.Quota{{ID: "account", Rate: 50, Burst: 10}},
		Leases:        []sim.Lease{{ID: "leader", Of: "worker", TTL: 3 * time.Second, Drift: 0.2}},
		Issuers:       []sim.Issuer{{ID: "auth", TTL: 5 * time.Second, Subjects: 3, Fetch: 2 * time.Second, Renew: true}},
		Distributions: []sim.Distribution{{ID: "flags", Poll: 3 * time.Second, Delay: sim.ExpDist(500 * ms), Loss: 0.2}},
		Links:         []sim.Link{{ID: "uplink", Bandwidth: 1e6, Buffer: 5e4}},
		Pipelines:     []sim.Pipeline{{ID: "delivery", Start: 5 * time.Second, Stages: []sim.Stage{{Condition: "tuned", Takes: sim.ExpDist(10 * time.Second)}, {Condition: "tuned again", Takes: sim.ExpDist(10 * time.Second)}}}},
		Streams:       []sim.Stream{{ID: "orders", To: "worker", Partitions: 4, Keys: sim.Keys{N: 50}, Publish: sim.ConstDist(ms), MaxDeliveries: 3, RedeliverAfter: 50 * ms, Rebalance: time.Second}},
		Workloads: []sim.Workload{
			{ID: "users", Rate: sim.Rate{Const: 200, Burst: sim.Burst{Factor: 3, Every: 5 * time.Second, For: 2 * time.Second}}, Entry: "web", Patience: 2 * time.Second, Reload: 2, Speaks: "v1", Size: sim.Size{Mean: 2, CV: 1}, Attributes: []sim.Attribute{{Key: "tenant", Value: "acme", Share: 0.1}}},
			{ID: "nightly", Schedule: sim.Schedule{Every: time.Second, Jobs: 2, Jitter: sim.ExpDist(500 * ms), Each: true}, Entry: "worker"},
			{ID: "crew", Closed: 10, Think: sim.ExpDist(500 * ms), Entry: "pay"},
		},
		Policies: []sim.Policy{
			{From: "web", To: "pay", Timeout: 200 * ms, Cancel: true, Retry: sim.Retry{MaxAttempts: 3, Backoff: sim.Backoff{Base: 20 * ms, Jitter: sim.FullJitter}, Budget: sim.Budget{Tokens: sim.TokenBudget{Ratio: 0.2, Burst: 5}}}, Bulkhead: sim.Bulkhead{Max: 8, Wait: 4}, Token: "auth", Network: sim.Network{Delay: sim.ExpDist(ms), Loss: 0.01, Link: "uplink", Request: 1000, Answer: 5000}},
			{From: "crew", To: "pay", Timeout: 300 * ms, Hedge: sim.Hedge{Delay: 40 * ms}, CircuitBreaker: sim.CircuitBreaker{FailureRate: 0.5, MinExecutions: 5, Period: 10 * time.Second, Delay: 3 * time.Second}, AdaptiveThrottler: sim.AdaptiveThrottler{FailureRate: 0.1}, AdaptiveLimiter: sim.AdaptiveLimiter{Max: 2, Initial: 1, Prioritized: true}, Balance: sim.Balance{Algorithm: sim.EWMA, Ejection: sim.Ejection{Failures: 3, For: time.Second}}, RateLimiter: sim.RateLimiter{Interval: 5 * ms, MaxWait: 200 * ms}},
			{From: "orders", To: "worker", Balance: sim.Balance{Algorithm: sim.ToLeader, Discovery: sim.ConstDist(time.Second)}},
			{From: "pay", To: "db", Pool: sim.Pool{Max: 3}, Timeout: 300 * ms, Quota: "account", DNS: sim.DNS{TTL: 2 * time.Second, Latency: sim.ExpDist(ms), Error: 0.1, Timeout: 100 * ms, ServeStale: time.Second}},
		},
		Rules: []sim.Rule{{ID: "r", At: "pay", When: []sim.Atom{{Entity: "pay", Dimension: "f", Value: "b"}, {Dimension: "condition", Value: "backup"}}, Prob: 0.5, Slow: sim.ConstDist(30 * ms), Harm: "odd"}},
		Conditions: []sim.Condition{
			{ID: "backup", Kind: sim.KindCron, Target: "db", Apply: []sim.Setting{{Param: "io.take", Value: 0.5}}, Windows: []sim.Window{{From: 10 * time.Second, To: 35 * time.Second}}, Default: true},
			{ID: "deploy", Kind: sim.KindDeploy, Target: "pay", Apply: []sim.Setting{{Param: "version", Value: "2"}}, Windows: []sim.Window{{From: 15 * time.Second}}, Stagger: 10 * time.Second, Drain: time.Second, Restart: time.Second, Default: true},
			{ID: "rotation", Kind: sim.KindPolicy, Target: "auth", Apply: []sim.Setting{{Param: "key", Value: 1}}, Windows: []sim.Window{{From: 18 * time.Second}}, Default: true},
			{ID: "spread", Kind: sim.KindFlag, Target: "pay", Via: "flags", Apply: []sim.Setting{{Param: "flag.f.share", Value: 0.8}}, Windows: []sim.Window{{From: 19 * time.Second}}, Default: true},
			{ID: "tuned", Kind: sim.KindConfig, Target: "web", Apply: []sim.Setting{{Param: "servers", Value: 60}}, Default: true},
			{ID: "tuned again", Kind: sim.KindConfig, Target: "web", Apply: []sim.Setting{{Param: "servers", Value: 62}}, Default: true},
			{ID: "flush", Kind: sim.KindCron, Target: "cache", Apply: []sim.Setting{{Param: "flush.fraction", Value: 0.6}, {Param: "flush.stagger", Value: 5 * time.Second}}, Windows: []sim.Window{{From: 18 * time.Second, To: 18 * time.Second}}, Default: true},
		},
	}
}

func started(t *testing.T, m *sim.Model, seed uint64, until time.Duration) *sim.Sim {
	t.Helper()
	s, err := sim.New(m, seed, sim.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RunUntil(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	return s
}

func finished(t *testing.T, s *sim.Sim) *sim.Result {
	t.Helper()
	r, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARestoredRunGoesOnAsIfItHadNotStopped(t *testing.T) {
	s := started(t, everything(), 9, 20*time.Second) // amid backup, rollout and flush
	saved := s.Snapshot()
	straight := digest(t, finished(t, s))
	for range 2 {
		if straight != digest(t, finished(t, saved.Restore())) {
			t.Error("the restored run differs from the one that was never stopped")
		}
	}
	if whole := digest(t, finished(t, started(t, everything(), 9, 0))); whole != straight {
		t.Error("a run in two parts differs from one in a single part")
	}
}

// A snapshot that shared anything would change with the run.
func TestASnapshotSharesNothingThatChanges(t *testing.T) {
	s := started(t, everything(), 9, 20*time.Second)
	a, b := s.Snapshot(), s.Snapshot()
	seen := make(map[unsafe.Pointer]string)
	collect(reflect.ValueOf(a.Frozen()), "sim", seen, nil, make(map[unsafe.Pointer]bool))
	var shared []string
	collect(reflect.ValueOf(b.Frozen()), "sim", seen, &shared, make(map[unsafe.Pointer]bool))
	for _, path := range shared {
		t.Errorf("two snapshots share %s", path)
	}
}

// collect walks over all that is reachable and notes the memory of slices, maps
// and pointers, or, if shared is given, what was noted before.
func collect(v reflect.Value, path string, seen map[unsafe.Pointer]string, shared *[]string, visited map[unsafe.Pointer]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if v.IsNil() || v.Kind() == reflect.Slice && v.Cap() == 0 || constant(v.Type(), path) {
			return
		}
		p := v.UnsafePointer()
		if visited[p] {
			return
		}
		visited[p] = true
		if shared == nil {
			seen[p] = path
		} else if _, ok := seen[p]; ok {
			*shared = append(*shared, path)
			return
		}
	default:
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), path, seen, shared, visited)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), path+"."+v.Type().Field(i).Name, seen, shared, visited)
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k == reflect.Pointer || k == reflect.Interface || k == reflect.Struct || k == reflect.Slice {
			for i := range v.Len() {
				collect(v.Index(i), path+"[]", seen, shared, visited)
			}
		}
	default:
	}
}

// constant names what no run changes: the model and what was made of it.
func constant(t reflect.Type, path string) bool {
	switch t.String() {
	case "*sim.Model", "*sim.Rule", "[]sim.Setting", "[]sim.Window", "[]sim.Attribute", "[]sim.Call", "[]time.Duration", "[]sim.Step", "*context.Context":
		return true
	}
	for _, end := range []string{".base.Flags", ".base.Stages", ".On", ".Weights", ".keep", ".other", ".values", ".upto", ".bits", ".Instances"} {
		if len(path) > len(end) && path[len(path)-len(end):] == end {
			return true
		}
	}
	return false
}

func TestSwitchingActsWhileTheSystemRuns(t *testing.T) {
	m := payments(280, 3)
	m.Conditions[0].Default = true
	s := started(t, m, 9, 35*time.Second) // amid the brownout
	saved := s.Snapshot()
	if after, ok := finished(t, s).Recovery(40*time.Second, 0.95, 10*time.Second); ok {
		t.Errorf("recovered %v after the brownout without acting; want never", after)
	}
	branch := saved.Restore()
	for id, on := range map[string]bool{"bounded": true, "brownout": false} {
		if err := branch.Switch(id, on); err != nil {
			t.Fatal(err)
		}
	}
	if after, ok := finished(t, branch).Recovery(35*time.Second, 0.95, 10*time.Second); !ok || after > 15*time.Second {
		t.Errorf("recovery after acting: %v, %v; want within 15 s", after, ok)
	}
	if err := branch.Switch("nothing", true); err == nil {
		t.Error("switching what is not there succeeded")
	}
}
