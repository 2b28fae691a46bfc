package request

import (
	"math"
	"slices"
	"time"
)

const (
	// slotLength is how long durations are gathered before they are judged
	// together.
	slotLength = time.Minute
	// holdBack is how many slots are kept out of the reference while it has
	// older ones: the last ten minutes may be the incident.
	holdBack = 10
	// incidentShare is the share of slow requests above which a slot is taken
	// to be part of an incident and never joins the reference. A healthy slot
	// has 0.1 % (see Usual.Tolerance).
	incidentShare = 0.05
	// newNormal is how many slots in succession may be kept out before the
	// entry is taken to have changed for good, and is learned anew.
	newNormal = 24 * 60
	// decay is what one slot leaves of older ones: half after 24 hours.
	decay = 0.99951879
	// idle is how long an entry may have no requests before it is forgotten.
	idle = 24 * time.Hour
)

// usual learns what latency is usual for each entry. What is usual changes
// only when a slot ends, so within one it is the same for all requests.
type usual struct {
	config  Usual
	entries map[Entry]*history
	refused uint64 // requests of entries that were too many to learn
}

// A history is the past durations of one entry. reference holds the slots that
// were judged healthy and are old enough; pending are those that wait.
type history struct {
	reference histogram
	pending   []*slot // oldest first, the last one still open
	threshold time.Duration
	keptOut   int // slots in succession that looked like an incident
	seen      time.Time
}

type slot struct {
	start     time.Time
	durations histogram
	slow      int
}

func newUsual(c Usual) *usual {
	return &usual{config: c, entries: make(map[Entry]*history)}
}

// slow reports whether d is more than usual for the entry, and learns d.
func (u *usual) slow(now time.Time, e Entry, d time.Duration) bool {
	if u.config.Off {
		return false
	}
	h := u.entries[e]
	if h == nil {
		if len(u.entries) >= u.config.MaxEntries && !u.forget(now) {
			u.refused++
			return false
		}
		h = &history{}
		u.entries[e] = h
	}
	h.seen = now
	open := h.open(now, u.config)
	slow := h.threshold > 0 && d > h.threshold
	if slow {
		open.slow++
	}
	open.durations.add(d)
	return slow
}

// forget drops the entries that had no requests for long, and reports whether
// there were any.
func (u *usual) forget(now time.Time) bool {
	before := len(u.entries)
	for e, h := range u.entries {
		if now.Sub(h.seen) > idle {
			delete(u.entries, e)
		}
	}
	return len(u.entries) < before
}

// open returns the slot of now, and settles those before it.
func (h *history) open(now time.Time, c Usual) *slot {
	start := now.Truncate(slotLength)
	if n := len(h.pending); n > 0 && !h.pending[n-1].start.Before(start) {
		return h.pending[n-1] // also when the clock went back
	}
	if n := len(h.pending); n > 0 {
		h.judge(h.pending[n-1])
	}
	for len(h.pending) > 0 && start.Sub(h.pending[0].start) > holdBack*slotLength {
		h.reference.scale(decay)
		h.reference.merge(&h.pending[0].durations)
		h.pending = slices.Delete(h.pending, 0, 1)
	}
	h.threshold = h.learn(c)
	s := &slot{start: start}
	h.pending = append(h.pending, s)
	return s
}

// judge empties a slot that looks like an incident, so that the reference does
// not follow what it is there to show.
func (h *history) judge(s *slot) {
	n := s.durations.total
	if h.threshold == 0 || s.slow <= 3 || float64(s.slow) <= incidentShare*n {
		h.keptOut = 0
		return
	}
	h.keptOut++
	if h.keptOut < newNormal {
		s.durations = histogram{}
		return
	}
	*h = history{pending: h.pending, seen: h.seen}
}

// learn returns the latency above which a request is slow: by the reference if
// that holds enough, else by all healthy slots.
func (h *history) learn(c Usual) time.Duration {
	known := &h.reference
	if known.total < float64(c.MinSamples) {
		all := h.reference.clone()
		for _, s := range h.pending {
			all.merge(&s.durations)
		}
		known = all
	}
	if known.total < float64(c.MinSamples) {
		return 0
	}
	q := time.Duration(c.Tolerance * float64(known.quantile(c.Quantile)))
	return max(q, c.Floor)
}

// A histogram counts durations in buckets whose bounds grow by a tenth: the
// error of a quantile is at most 10 %, well within the tolerance.
type histogram struct {
	counts []float64 // from bucket low on
	low    int
	total  float64
}

const growth = 1.1

// bucketOf is 0 up to a microsecond and 243 above 3 hours.
func bucketOf(d time.Duration) int {
	us := float64(d) / float64(time.Microsecond)
	if us <= 1 {
		return 0
	}
	return min(int(math.Log(us)/math.Log(growth))+1, 243)
}

func (h *histogram) add(d time.Duration) { h.put(bucketOf(d), 1) }

func (h *histogram) put(bucket int, n float64) {
	switch {
	case len(h.counts) == 0:
		h.low = bucket
		h.counts = append(h.counts, 0)
	case bucket < h.low:
		h.counts = slices.Insert(h.counts, 0, make([]float64, h.low-bucket)...)
		h.low = bucket
	case bucket >= h.low+len(h.counts):
		h.counts = append(h.counts, make([]float64, bucket-h.low-len(h.counts)+1)...)
	}
	h.counts[bucket-h.low] += n
	h.total += n
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		if n > 0 {
			h.put(o.low+i, n)
		}
	}
}

func (h *histogram) scale(f float64) {
	h.total = 0
	for i := range h.counts {
		h.counts[i] *= f
		h.total += h.counts[i]
	}
}

func (h *histogram) clone() *histogram {
	return &histogram{counts: slices.Clone(h.counts), low: h.low, total: h.total}
}

// quantile returns the upper bound of the bucket that holds the quantile q.
func (h *histogram) quantile(q float64) time.Duration {
	rest := q * h.total
	for i, n := range h.counts {
		rest -= n
		if rest <= 0 {
			return time.Duration(math.Pow(growth, float64(h.low+i)) * float64(time.Microsecond))
		}
	}
	return time.Duration(math.Pow(growth, float64(h.low+len(h.counts)-1)) * float64(time.Microsecond))
}
