package sim

// Events of a cache.
const (
	cacheHit   uint16 = iota + 1 // the latency of a hit is over
	cacheFlush                   // a key is dropped
)

// A cache keeps entries by key, in tables that have a place for every key.
type cache struct {
	sim     *Sim
	id      int32
	ent     uint32
	base    Cache
	spec    Cache
	keys    keyPicker
	ttl     sampler
	loads   map[int32]*edge // by edge to the cache: from its caller to what is behind
	fresh   []Time          // until when an entry is fresh; 0: it is not there
	under   []int16         // loads of a key that are under way
	leaders map[int64]int32 // the frame that loads for others, by key and who shares
	recent  recency         // which entry was used when, if not all can be kept
	fills   int             // how often one was put in, which tells their times to live apart
	cost    float64         // seconds that a load took lately
	met     [2]uint64       // atoms: met a hit, met a miss
	count   CacheCount
}

// CacheCount is what a cache did.
type CacheCount struct {
	Hits      int
	Stale     int // hits on an entry that was not fresh any more
	Misses    int
	Coalesced int // misses that waited for another's load
	Loads     int
	Early     int // of these, of what was still fresh
	Evicted   int
	Loading   int // the most loads of one key that were under way at once
}

func (v *cache) apply(over func(instance int, set setter)) {
	spec := v.base
	over(0, spec.set)
	before := v.spec
	v.spec = spec
	v.ttl = newSampler(spec.TTL)
	if spec.Flush.Fraction > 0 && before.Flush.Fraction == 0 {
		v.flush(spec.Flush)
	}
}

// warm fills the cache as it would be after a long time: with the most frequent
// keys, each somewhere within its time to live.
func (v *cache) warm() {
	n := len(v.fresh)
	if v.recent.bound > 0 {
		n = min(n, v.recent.bound)
	}
	for k := n - 1; k >= 0; k-- {
		v.put(int32(k), unit(mix(v.sim.seed^uint64(k)<<8^uint64(v.id))))
	}
}

// flush drops a share of the keys, each at its time.
func (v *cache) flush(how Flush) {
	e := &v.sim.engine
	for k := range v.fresh {
		u := unit(mix(mix(v.sim.seed^uint64(v.id)) ^ uint64(k)))
		if u < how.Fraction && v.fresh[k] > 0 {
			e.At(e.now+seconds(u/how.Fraction*how.Stagger.Seconds()), v.ent, cacheFlush, uint64(k))
		}
	}
}

func (v *cache) pick(_ *edge, c *call) (int32, bool) {
	v.keys.of(v.sim, c)
	return none, true
}

// enter looks a key up.
func (v *cache) enter(j int32) {
	s := v.sim
	now := s.engine.now
	f := s.frames.at(j)
	q := s.requests.at(f.req)
	f.key %= int32(len(v.fresh))
	found := cacheWasMiss
	v.recent.use(f.key)
	fresh := v.fresh[f.key]
	switch {
	case fresh > now:
		found = cacheWasHit
	case fresh > 0 && v.spec.Fill.SWR > 0 && now-fresh < Time(v.spec.Fill.SWR):
		found = cacheWasStale
	}
	if f.call != none {
		s.calls.at(f.call).cache = found
	}
	if found == cacheWasMiss {
		v.count.Misses++
		q.met |= v.met[1]
		v.miss(j)
		return
	}
	v.count.Hits++
	q.met |= v.met[0]
	switch {
	case found == cacheWasStale:
		v.count.Stale++
		if v.under[f.key] == 0 {
			v.behind(f)
		}
	case v.early(f, q, fresh):
		v.count.Early++
		v.behind(f)
	}
	v.hit(j)
}

// early decides by chance whether to load before an entry has expired: if
// now + beta*cost*Exp(1) is later than that (Vattani, Chierichetti, Lowenstein:
// Optimal probabilistic cache stampede prevention, 2015).
func (v *cache) early(f *frame, q *request, fresh Time) bool {
	beta := v.spec.Fill.Early
	if beta == 0 || v.spec.Fill.Coalesce == CoalesceLease && v.under[f.key] > 0 {
		return false
	}
	e := expOf(draw(q.key, forEarly, int(v.id), int(f.serial)))
	return v.sim.engine.now+seconds(beta*v.cost*e) >= fresh
}

// hit answers after the latency.
func (v *cache) hit(j int32) {
	if l := v.spec.Latency; l > 0 {
		v.sim.engine.At(v.sim.engine.now+Time(l), v.ent, cacheHit, uint64(j))
		return
	}
	v.sim.edges[v.sim.frames.at(j).edge].answer(j, resultOK)
}

// miss loads a key, or waits for whoever does.
func (v *cache) miss(j int32) {
	f := v.sim.frames.at(j)
	f.stage = stageCalls
	if v.spec.Fill.Coalesce != CoalesceNone && v.spec.Fill.Coalesce != "" {
		share := v.share(f)
		if leader, ok := v.leaders[share]; ok {
			v.count.Coalesced++
			l := v.sim.frames.at(leader)
			f.link = l.link
			l.link = j
			return
		}
		v.leaders[share] = j
	}
	v.load(j)
}

// leads reports whether a frame loads for others.
func (v *cache) leads(share int64, j int32) bool {
	leader, ok := v.leaders[share]
	return ok && leader == j
}

// share is what misses have in common that share a load.
func (v *cache) share(f *frame) int64 {
	if v.spec.Fill.Coalesce == CoalesceLease {
		return int64(f.key)
	}
	return int64(f.key)<<32 | int64(f.from+1)
}

// behind loads a key for nobody who waits.
func (v *cache) behind(f *frame) {
	s := v.sim
	j := s.frames.get()
	*s.frames.at(j) = frame{
		req: f.req, call: none, node: v.id, station: none, edge: f.edge, serial: f.serial,
		child: none, busy: none, link: none, key: f.key, row: none, cause: none,
		stage: stageCalls, arrived: s.engine.now, expires: Never, from: f.from, span: f.span, as: f.as, hops: f.hops,
	}
	s.hold(f.req)
	v.load(j)
}

// load asks what is behind the cache.
func (v *cache) load(j int32) {
	f := v.sim.frames.at(j)
	v.count.Loads++
	v.under[f.key]++
	v.count.Loading = max(v.count.Loading, int(v.under[f.key]))
	f.began = v.sim.engine.now
	d := v.loads[f.edge]
	f.child = d.begin(f.req, j, f.from, false)
	c := v.sim.calls.at(f.child)
	c.key, c.hops = f.key, f.hops
	d.send(f.child)
}

// resume takes what was loaded.
func (v *cache) resume(j, _ int32, r result) {
	s := v.sim
	f := s.frames.at(j)
	f.child = none
	v.under[f.key]--
	if r == resultOK {
		took := float64(s.engine.now-f.began) / 1e9
		if v.cost == 0 {
			v.cost = took
		}
		v.cost += (took - v.cost) / 8
		v.put(f.key, 1)
	} else {
		r = resultUpstream
	}
	if share := v.share(f); v.leads(share, j) {
		delete(v.leaders, share)
	}
	next := f.link
	s.edges[f.edge].answer(j, r)
	for next != none {
		w := next
		next = s.frames.at(w).link
		s.edges[s.frames.at(w).edge].answer(w, r)
	}
}

// put keeps an entry for a share of its time to live.
func (v *cache) put(key int32, share float64) {
	if v.recent.bound > 0 {
		victim, kept := v.recent.put(key, v.spec.Policy == TinyLFU)
		if victim != none {
			v.fresh[victim] = 0
		}
		if !kept {
			return
		}
	}
	v.fills++
	v.fresh[key] = Never
	if !v.spec.TTL.zero() {
		u := unit(mix(mix(v.sim.seed^uint64(v.id)<<32^uint64(key)) ^ uint64(v.fills)))
		v.fresh[key] = max(1, v.sim.engine.now+seconds(share*v.ttl.at(u)))
	}
}

// abandon lets a load go on: others may wait for it.
func (v *cache) abandon(int32) {}

// Handle carries out what was scheduled.
func (v *cache) Handle(_ *Engine, kind uint16, a uint64) {
	switch kind {
	case cacheHit:
		v.sim.edges[v.sim.frames.at(int32(a)).edge].answer(int32(a), resultOK)
	case cacheFlush:
		v.fresh[a] = 0
		v.recent.remove(int32(a))
	}
}

// set gives a parameter a value.
func (c *Cache) set(param string, v any) error {
	switch param {
	case "ttl":
		return asDist(param, v, &c.TTL)
	case "latency":
		return asDuration(param, v, &c.Latency)
	case "fill.coalesce":
		return asText(param, v, &c.Fill.Coalesce)
	case "fill.swr":
		return asDuration(param, v, &c.Fill.SWR)
	case "fill.early":
		return asNumber(param, v, &c.Fill.Early)
	case "flush.fraction":
		return asShare(param, v, &c.Flush.Fraction)
	case "flush.stagger":
		return asDuration(param, v, &c.Flush.Stagger)
	}
	return unknownParam(param, "cache", "ttl", "latency", "fill.coalesce", "fill.swr", "fill.early", "flush.fraction", "flush.stagger")
}
