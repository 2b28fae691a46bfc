package sim

// A store is shards, each a primary and its replicas.
type store struct {
	sim      *Sim
	id       int32
	base     Store
	specs    []Store
	stations []*station // primary and replicas of the first shard, then of the next
	shards   int
	copies   int // of a shard, with the primary
	keys     keyPicker
	next     int
	written  []Time // by key, when there are replicas that lag
	met      uint64 // atom: has read what was older than the last write
	readers  []reader
	picky    bool // some instance does not take all formats
	quorum   quorum
	stale    int
}

func (v *store) apply(over func(instance int, set setter)) {
	for i, t := range v.stations {
		spec := v.base
		over(i, spec.set)
		v.specs[i] = spec
		t.refresh(spec.station())
	}
	v.listen()
}

func (v *store) listen() {
	v.picky = false
	for i := range v.specs {
		f := &v.specs[i].Format
		v.readers[i] = f.reader(v.sim, v.base.ID)
		v.picky = v.picky || f.Reads != ""
	}
}

// station is what the store says about an instance.
func (s *Store) station() stationSpec {
	return stationSpec{
		servers: s.Servers, work: [2]Dist{s.Read, s.Write}, speed: s.Speed, error: s.Error, down: s.Down, queue: s.Queue,
		connections: s.Connections, slowdown: s.Slowdown, io: s.IO, locks: s.Locks, locked: s.Locked,
	}
}

// pick goes to the shard of the request's key: to the primary for a write, and
// for a read to the replicas in turn.
func (v *store) pick(d *edge, c *call) (int32, bool) {
	key := v.keys.of(v.sim, c)
	shard := int(key) % v.shards
	if n := v.specs[0].Split; n > 1 && key == 0 {
		shard = int(drawBits(v.sim.requests.at(c.req).key, forSplit, int(v.id), int(c.serial)) % uint64(min(n, v.shards)))
	}
	first := shard * v.copies
	if v.quorum.inner != nil {
		if d != v.quorum.inner {
			return none, true // whoever coordinates it is no instance
		}
		t := v.stations[first+int(c.nth)]
		return t.id, d.sees(t, c)
	}
	if c.write || v.copies == 1 || v.specs[first].PrimaryReads {
		t := v.stations[first]
		return t.id, d.sees(t, c)
	}
	v.next++
	for k := range v.copies - 1 {
		if t := v.stations[first+1+(v.next+k)%(v.copies-1)]; d.sees(t, c) {
			return t.id, true
		}
	}
	t := v.stations[first] // no replica is there
	return t.id, d.sees(t, c)
}

func (v *store) enter(j int32) {
	f := v.sim.frames.at(j)
	if f.station == none {
		v.coordinate(j)
		return
	}
	v.sim.stations[f.station].arrive(j)
}

func (v *store) worked(j int32) {
	s := v.sim
	f := s.frames.at(j)
	t := s.stations[f.station]
	if e := t.spec.error; e > 0 && draw(s.requests.at(f.req).key, forFault, int(v.id), int(f.serial)) < e {
		t.leave(j, resultError)
		return
	}
	if v.picky && f.write && !v.readers[t.instance].takes(t, j, int(v.id)) {
		return
	}
	if v.quorum.inner != nil {
		v.copied(t, f)
	} else {
		v.see(t, f)
	}
	t.leave(j, resultOK)
}

// see notes what was written, and whether a read came too early for a replica to
// know of it.
func (v *store) see(t *station, f *frame) {
	if v.written == nil {
		return
	}
	key := v.keys.within(f.key)
	if f.write {
		v.written[key] = v.sim.engine.now
		return
	}
	lag := Time(v.specs[t.instance].Lag)
	if w := v.written[key]; t.instance%v.copies != 0 && w > 0 && v.sim.engine.now < w+lag {
		v.stale++
		v.sim.requests.at(f.req).met |= v.met
	}
}

// resume is told that a copy has answered.
func (v *store) resume(j, i int32, r result) {
	f := v.sim.frames.at(j)
	v.sim.unlink(f, i)
	f.pending--
	if r == resultOK {
		f.won++
	}
	v.settle(j)
}

func (v *store) abandon(j int32) {
	if f := v.sim.frames.at(j); f.station == none {
		v.sim.giveAll(f)
		v.sim.edges[f.edge].answer(j, resultCancelled)
		return
	}
	v.sim.abandonAt(j)
}

// set gives a parameter a value.
func (s *Store) set(param string, v any) error {
	switch param {
	case "servers":
		return asCount(param, v, &s.Servers)
	case "connections":
		return asInt(param, v, &s.Connections)
	case "read":
		return asDist(param, v, &s.Read)
	case "write":
		return asDist(param, v, &s.Write)
	case "speed":
		return asFactor(param, v, &s.Speed)
	case "error":
		return asHighest(param, v, &s.Error)
	case "down":
		return asBool(param, v, &s.Down)
	case "locked":
		return asBool(param, v, &s.Locked)
	case "split":
		return asInt(param, v, &s.Split)
	case "primary_reads":
		return asBool(param, v, &s.PrimaryReads)
	case "lag":
		return asDuration(param, v, &s.Lag)
	case "io.take":
		return asShare(param, v, &s.IO.Take)
	case "io.capacity":
		return asNumber(param, v, &s.IO.Capacity)
	case "slowdown.above":
		return asInt(param, v, &s.Slowdown.Above)
	case "slowdown.factor":
		return asNumber(param, v, &s.Slowdown.Factor)
	}
	if known, err := s.Queue.set(param, v); known {
		return err
	}
	if known, err := s.Format.set(param, v); known {
		return err
	}
	if known, err := s.Quorum.set(param, v); known {
		return err
	}
	return unknownParam(param, "store", "servers", "connections", "read", "write", "speed", "error", "down", "locked", "lag",
		"io.take", "io.capacity", "slowdown.above", "slowdown.factor", "primary_reads", "split", "quorum.read", "quorum.write", formatParams, queueParams)
}
