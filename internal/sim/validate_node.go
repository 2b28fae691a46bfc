package sim

import "slices"

func (v *validation) service(s *Service) {
	v.name("service", s.ID)
	where := "service " + s.ID
	v.atLeast0(where, "instances, servers", float64(s.Instances), float64(s.Servers))
	v.check(where, "service_time", s.ServiceTime.validate())
	v.queue(where, s.Queue)
	v.share(where, "error", s.Error)
	v.atLeast0(where, "speed, slowdown", s.Speed, float64(s.Slowdown.Above), s.Slowdown.Factor)
	v.check(where, "pause.every", s.Pause.Every.validate())
	v.check(where, "pause.for", s.Pause.For.validate())
	v.check(where, "cold_start.takes", s.ColdStart.Takes.validate())
	v.atLeast0(where, "cold_start.keep_alive", float64(s.ColdStart.KeepAlive))
	v.scale(where, s)
	v.check(where, "startup.takes", s.Startup.Takes.validate())
	v.memory(where, &s.Memory)
	v.check(where, "format.translate", s.Format.Translate.validate())
	v.atLeast0(where, "growth", s.Growth.Exponent, s.Growth.Typical, float64(s.Growth.Page))
	oneOf(v, where, "saga", s.Saga, SagaAlone, SagaCompensate, SagaOutbox)
	if s.Effect != "" {
		v.effects++
		if v.effects == maxEffects+1 {
			v.wrong(where, "effect %q: want %d services with an effect at most", s.Effect, maxEffects)
		}
	}
	if len(s.Flags) > maxFlags {
		v.wrong(where, "%d flags: want %d at most", len(s.Flags), maxFlags)
	}
	for _, f := range s.Flags {
		v.share(where, "share of flag "+f.Key, f.Share)
		if f.Key == "" {
			v.wrong(where, "a flag without a key")
		}
	}
}

// calls are checked when all names are known.
func (v *validation) calls(s *Service) {
	where := "service " + s.ID
	for _, c := range s.Calls {
		if !slices.Contains([]string{"service", "cache", "store", "stream"}, v.names[c.To]) {
			v.wrong(where, "calls %q: no service, cache, store or stream has this id", c.To)
		}
		v.share(where, "prob of the call to "+c.To, c.Prob)
		v.atLeast0(where, "count, need, hops of the call to "+c.To, float64(c.Count), float64(c.Need), float64(c.Hops))
		if c.Hops > maxHops {
			v.wrong(where, "hops %d of the call to %s: want %d at most", c.Hops, c.To, maxHops)
		}
		if c.Need > max(c.Count, 1) {
			v.wrong(where, "need %d of the call to %s: want no more than its count of %d", c.Need, c.To, max(c.Count, 1))
		}
	}
}

func (v *validation) queue(where string, q Queue) {
	oneOf(v, where, "queue.discipline", q.Discipline, FIFO, LIFO, AdaptiveLIFO, CoDel, Priority, Sharing)
	v.atLeast0(where, "queue.bound, queue.drop_margin, queue.target, queue.interval",
		float64(q.Bound), float64(q.DropMargin), float64(q.Target), float64(q.Interval))
}

func (v *validation) store(s *Store) {
	v.name("store", s.ID)
	where := "store " + s.ID
	v.atLeast0(where, "servers, connections, shards, replicas, lag, locks", float64(s.Servers), float64(s.Connections),
		float64(s.Shards), float64(s.Replicas), float64(s.Lag), float64(s.Locks))
	v.check(where, "read", s.Read.validate())
	v.check(where, "write", s.Write.validate())
	v.atLeast0(where, "io, speed, slowdown", s.IO.Capacity, s.IO.ReadCost, s.IO.WriteCost, s.Speed, float64(s.Slowdown.Above),
		s.Slowdown.Factor)
	v.share(where, "io.take", s.IO.Take)
	v.check(where, "format.translate", s.Format.Translate.validate())
	v.share(where, "error", s.Error)
	v.check(where, "keys", s.Keys.validate())
	v.queue(where, s.Queue)
	v.quorum(where, s)
	v.atLeast0(where, "split", float64(s.Split))
}

func (v *validation) cache(c *Cache) {
	v.name("cache", c.ID)
	where := "cache " + c.ID
	if what := v.names[c.Of]; what != "store" && what != "service" {
		v.wrong(where, "of %q: no store or service has this id", c.Of)
	}
	oneOf(v, where, "policy", c.Policy, LRU, TinyLFU)
	oneOf(v, where, "fill.coalesce", c.Fill.Coalesce, CoalesceNone, CoalesceFlight, CoalesceLease)
	v.check(where, "ttl", c.TTL.validate())
	v.check(where, "keys", c.Keys.validate())
	v.atLeast0(where, "entries, latency, fill.swr, fill.early, flush.stagger", float64(c.Entries), float64(c.Latency),
		float64(c.Fill.SWR), c.Fill.Early, float64(c.Flush.Stagger))
	v.share(where, "flush.fraction", c.Flush.Fraction)
}

func (v *validation) workload(w *Workload) {
	v.name("workload", w.ID)
	where := "workload " + w.ID
	if v.names[w.Entry] != "service" {
		v.wrong(where, "entry %q: no service has this id", w.Entry)
	}
	v.atLeast0(where, "patience, closed, reload", float64(w.Patience), float64(w.Closed), float64(w.Reload))
	v.check(where, "rate", w.Rate.validate())
	v.check(where, "think", w.Think.validate())
	if w.Closed > 0 && w.Think.zero() {
		v.wrong(where, "closed users who do not think: want a think time, or they never let time pass")
	}
	v.size(where, w.Size)
	v.schedule(where, w)
	if w.Priority < 0 || w.Priority >= priorities {
		v.wrong(where, "priority %d: want 0 to %d", w.Priority, priorities-1)
	}
	if len(w.Attributes) > 64 {
		v.wrong(where, "%d attributes: want 64 at most", len(w.Attributes))
	}
	for _, a := range w.Attributes {
		v.share(where, "share of attribute "+a.Key, a.Share)
	}
}
