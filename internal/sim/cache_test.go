package sim_test

import (
	"math"
	"testing"
	"time"

	"example.test/eddy/internal/sim"
)

// cached is a service that reads through a cache, at a rate.
func cached(rate float64, c sim.Cache) *sim.Model {
	c.ID, c.Of = "cache", "db"
	return &sim.Model{
		Name: "cached", Horizon: 10 * time.Minute,
		Services:  []sim.Service{{ID: "web", Servers: 1000, Calls: []sim.Call{{To: "cache"}}}},
		Caches:    []sim.Cache{c},
		Stores:    []sim.Store{{ID: "db", System: "postgresql", Servers: 10000, Read: sim.ConstDist(500 * time.Millisecond)}},
		Workloads: []sim.Workload{{ID: "users", Rate: sim.Rate{Const: rate}, Entry: "web"}},
	}
}

func caches(r *sim.Result) sim.CacheCount {
	var sum sim.CacheCount
	for _, c := range r.Caches[0].Intervals {
		sum.Hits += c.Hits
		sum.Stale += c.Stale
		sum.Misses += c.Misses
		sum.Coalesced += c.Coalesced
		sum.Loads += c.Loads
		sum.Early += c.Early
		sum.Evicted += c.Evicted
		sum.Loading = max(sum.Loading, c.Loading)
	}
	return sum
}

// A key that is asked for at rate r and lives for T after a load that takes no
// time is loaded once in T + 1/r.
func TestACacheHitsAsOftenAsTheTimeToLiveAllows(t *testing.T) {
	numbers(t)
	const n, rate, ttl = 50, 100.0, 5.0
	m := cached(rate, sim.Cache{TTL: sim.ConstDist(5 * time.Second), Keys: sim.Keys{N: n, Zipf: 1}})
	m.Stores[0].Read = sim.Dist{}
	r := mustRun(t, m, 1)
	want, sum := 0.0, 0.0
	for k := 1; k <= n; k++ {
		sum += 1 / float64(k)
	}
	for k := 1; k <= n; k++ {
		p := 1 / float64(k) / sum
		want += p * p * rate * ttl / (1 + p*rate*ttl)
	}
	got := caches(r)
	if share := float64(got.Hits) / float64(got.Hits+got.Misses); math.Abs(share-want) > 0.01 {
		t.Errorf("%.4f of %d look-ups hit, want %.4f within 0.01", share, got.Hits+got.Misses, want)
	}
}

// While a load takes half a second, 100 a second find nothing: 1 + 100*0.5 loads
// for each expiry, unless they share one.
func TestMissesOfOneKeyLoadOnceIfTheyShareTheLoad(t *testing.T) {
	numbers(t)
	for _, c := range []struct {
		name string
		fill sim.Fill
		want float64 // loads a cycle of 60 s and the load
		most int
	}{
		{"none", sim.Fill{}, 51, 80},
		{"lease", sim.Fill{Coalesce: sim.CoalesceLease}, 1, 1},
		{"stale while revalidate", sim.Fill{SWR: 10 * time.Second}, 1, 1},
	} {
		m := cached(100, sim.Cache{TTL: sim.ConstDist(time.Minute), Fill: c.fill})
		m.Horizon = 20 * time.Minute
		got := caches(mustRun(t, m, 2))
		cycles := m.Horizon.Seconds() / 60.5
		if per := float64(got.Loads) / cycles; math.Abs(per/c.want-1) > 0.12 {
			t.Errorf("%s: %.2f loads a cycle, want %.0f within 12 %%", c.name, per, c.want)
		}
		if got.Loading > c.most {
			t.Errorf("%s: %d loads at once, want %d at most", c.name, got.Loading, c.most)
		}
		if c.fill.SWR > 0 && got.Misses > 0 {
			t.Errorf("%s: %d waited for a load, want none", c.name, got.Misses)
		}
	}
}

func TestAFlightSharesLoadsWithinAnInstance(t *testing.T) {
	m := cached(200, sim.Cache{TTL: sim.ConstDist(time.Minute), Cold: true, Fill: sim.Fill{Coalesce: sim.CoalesceFlight}})
	m.Services[0].Instances = 4
	if got := caches(mustRun(t, m, 2)); got.Loading != 4 {
		t.Errorf("%d loads of the key at once, want one an instance: 4", got.Loading)
	}
}

func TestAFullCacheKeepsWhatItsPolicySays(t *testing.T) {
	numbers(t)
	share := func(p sim.Eviction) float64 {
		m := cached(500, sim.Cache{Entries: 100, Policy: p, Keys: sim.Keys{N: 10000, Zipf: 0.9}, Cold: true})
		m.Stores[0].Read = sim.Dist{}
		c := caches(mustRun(t, m, 3))
		if c.Loads-c.Evicted < 100 || p == sim.LRU && c.Loads-c.Evicted != 100 {
			t.Errorf("%s: %d loads and %d evictions; want 100 entries left", p, c.Loads, c.Evicted)
		}
		return float64(c.Hits) / float64(c.Hits+c.Misses)
	}
	lru, lfu := share(sim.LRU), share(sim.TinyLFU)
	// Che, Tung, Wang (2002): the characteristic time T of LRU solves
	// sum(1-exp(-p_k*T)) = entries.
	want := che(10000, 0.9, 100)
	if math.Abs(lru-want) > 0.01 {
		t.Errorf("LRU hits %.4f, want %.4f within 0.01", lru, want)
	}
	if lfu < lru+0.05 {
		t.Errorf("TinyLFU hits %.4f and LRU %.4f; want TinyLFU to be better by 0.05", lfu, lru)
	}
}

func che(n int, zipf float64, entries float64) float64 {
	p := make([]float64, n)
	sum := 0.0
	for k := range p {
		p[k] = math.Pow(float64(k+1), -zipf)
		sum += p[k]
	}
	low, high := 1.0, 1e7
	for range 200 {
		mid := (low + high) / 2
		full := 0.0
		for k := range p {
			full += 1 - math.Exp(-p[k]/sum*mid)
		}
		if full < entries {
			low = mid
		} else {
			high = mid
		}
	}
	hits := 0.0
	for k := range p {
		hits += p[k] / sum * (1 - math.Exp(-p[k]/sum*low))
	}
	return hits
}

func TestAFlushDropsAShareOfTheEntriesWithinItsStagger(t *testing.T) {
	m := cached(2000, sim.Cache{Keys: sim.Keys{N: 1000}})
	m.Horizon = 40 * time.Second
	m.Stores[0].Read = sim.Dist{}
	m.Conditions = []sim.Condition{{
		ID: "flush", Kind: sim.KindCron, Target: "cache",
		Apply:   []sim.Setting{{Param: "flush.fraction", Value: 0.6}, {Param: "flush.stagger", Value: "10s"}},
		Windows: []sim.Window{{From: 10 * time.Second, To: 10 * time.Second}},
	}}
	r := mustRun(t, m, 1, "flush")
	if c := caches(r); c.Loads < 550 || c.Loads > 650 {
		t.Errorf("%d of 1000 keys were loaded, want about 600", c.Loads)
	}
	for i, c := range r.Caches[0].Intervals {
		if (i < 10 || i > 25) && c.Loads > 0 {
			t.Errorf("%d loads in second %d, want none before 10 s and long after 20 s", c.Loads, i)
		}
	}
	if c := caches(mustRun(t, m, 1)); c.Loads > 0 {
		t.Errorf("%d loads without the flush, want 0", c.Loads)
	}
}
