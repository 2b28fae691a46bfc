package pipeline

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// bucketSeconds is the grain of totals and of sampling.
const bucketSeconds = 10

// A window keeps the observations of the last stretch of time, within a bound.
//
// Per entry and ten-second bucket it keeps the successes with the smallest
// hashes of their ids, up to a number that halves whenever successes pass half
// the bound. Of failures and slow requests it keeps all, until they pass the
// other half; then only those whose hash is below a limit that is the same for
// the whole window, because the analysis counts each of them once and must
// see all of them at one rate. Both recover when there is room. Which ones are
// kept does not depend on the order of arrival, nor on their conditions. Totals
// are counted beside them, exactly, for as many entries and buckets as half the
// bound; requests at further entries are left out and counted in crowded.
type window struct {
	length time.Duration
	bound  int // observations kept at most, about: half successes, half others
	most   int // successes per entry and bucket; what per recovers to
	per    int
	limit  uint64 // of the hashes of failures and slow requests, for new ones
	ok     int    // kept
	bad    int    // kept
	cells  int
	// buckets are ascending by start.
	buckets []*bucket
	// tooLate counts observations that were older than the window, or as far
	// ahead of it.
	tooLate uint64
	crowded uint64
	// laid is the limit of failures and slow requests that panes were last laid
	// out with, by outcome.
	laid map[request.Outcome]uint64
}

// A bucket is ten seconds.
type bucket struct {
	start int64  // Unix seconds
	limit uint64 // the lowest that held while failures were added
	cells map[request.Entry]*cell
	// laid says for which outcomes it is laid out as a pane, as it is now.
	laid map[request.Outcome]bool
}

// A cell is one entry in one bucket.
type cell struct {
	total   Total
	changed bool // since totals were last taken
	// Successes are those kept, with hashes of at most limit. The limit only
	// falls, so they are a fair draw of all that there were.
	successes []ranked
	limit     uint64
	// Others are the failures and slow requests.
	others []ranked
}

// ranked is an observation and the hash that decides whether it is kept.
type ranked struct {
	hash uint64
	condition.Observation
}

// newWindow returns an empty window.
func newWindow(length time.Duration, bound int) *window {
	const most = 4096
	return &window{length: length, bound: bound, most: most, per: most, limit: math.MaxUint64, laid: make(map[request.Outcome]uint64)}
}

// add counts an observation and keeps it if it is in the sample.
func (w *window) add(now time.Time, o condition.Observation) {
	if now.Sub(o.Time).Abs() > w.length {
		w.tooLate++
		return
	}
	_, c := w.cell(o.Time, o.Entry)
	if c == nil {
		w.crowded++
		return
	}
	c.changed = true
	c.total.Requests++
	switch o.Outcome {
	case request.Failed:
		c.total.Failed++
	case request.Slow:
		c.total.Slow++
	case request.OK:
	}
	w.keep(o)
}

// keep puts an observation in the sample, or leaves it out.
func (w *window) keep(o condition.Observation) {
	b, c := w.cell(o.Time, o.Entry)
	if c == nil {
		return
	}
	clear(b.laid)
	r := ranked{rank(o.Request), o}
	if o.Outcome == request.OK {
		if r.hash > c.limit {
			return
		}
		c.successes = append(c.successes, r)
		w.ok++
		if len(c.successes) > 2*w.per {
			w.shrink(c)
		}
		for w.ok > w.bound/2 && w.per > 1 {
			w.per /= 2
			w.each(w.shrink)
			w.unlay()
		}
		return
	}
	b.limit = min(b.limit, w.limit)
	if r.hash > b.limit {
		return
	}
	c.others = append(c.others, r)
	w.bad++
	for w.bad > w.bound/2 && w.limit > 1<<48 {
		w.limit /= 2
		for _, b := range w.buckets {
			b.limit = min(b.limit, w.limit)
		}
		w.each(w.thinOthers)
		w.unlay()
	}
}

// unlay says that no bucket is any more as it was laid out.
func (w *window) unlay() {
	for _, b := range w.buckets {
		clear(b.laid)
	}
}

// restoreTotal sets the count of a bucket.
func (w *window) restoreTotal(t Total) {
	if _, c := w.cell(time.Unix(t.Bucket, 0), t.Entry); c != nil {
		c.total = t
	}
}

// cell returns the bucket and cell of an entry at a time, making them if need
// be. There is no cell where there is no room for one more.
func (w *window) cell(at time.Time, entry request.Entry) (*bucket, *cell) {
	start := at.Unix() - at.Unix()%bucketSeconds
	i, ok := slices.BinarySearchFunc(w.buckets, start, func(b *bucket, s int64) int { return cmp.Compare(b.start, s) })
	if !ok {
		w.buckets = slices.Insert(w.buckets, i, &bucket{
			start: start, limit: math.MaxUint64,
			cells: make(map[request.Entry]*cell), laid: make(map[request.Outcome]bool),
		})
	}
	b := w.buckets[i]
	c := b.cells[entry]
	if c == nil && w.cells < w.bound/2 {
		c = &cell{total: Total{Bucket: start, Entry: entry}, limit: math.MaxUint64}
		b.cells[entry] = c
		w.cells++
	}
	return b, c
}

// each calls f for all cells.
func (w *window) each(f func(*cell)) {
	for _, b := range w.buckets {
		for _, c := range b.cells {
			f(c)
		}
	}
}

// shrink keeps the successes with the smallest hashes.
func (w *window) shrink(c *cell) {
	if len(c.successes) <= w.per {
		return
	}
	slices.SortFunc(c.successes, func(a, b ranked) int { return cmp.Compare(a.hash, b.hash) })
	w.ok -= len(c.successes) - w.per
	clear(c.successes[w.per:])
	c.successes = c.successes[:w.per]
	c.limit = c.successes[w.per-1].hash
}

// thinOthers drops the failures and slow requests above the limit.
func (w *window) thinOthers(c *cell) {
	before := len(c.others)
	c.others = slices.DeleteFunc(c.others, func(r ranked) bool { return r.hash > w.limit })
	w.bad -= before - len(c.others)
}

// trim drops the buckets that have left the window, and lets the sample grow
// again where there is room.
func (w *window) trim(now time.Time) {
	oldest := now.Add(-w.length).Unix()
	n := 0
	for _, b := range w.buckets {
		if b.start+bucketSeconds > oldest {
			break
		}
		for _, c := range b.cells {
			w.ok -= len(c.successes)
			w.bad -= len(c.others)
		}
		w.cells -= len(b.cells)
		n++
	}
	w.buckets = slices.Delete(w.buckets, 0, n)
	if w.ok < w.bound/8 && w.per < w.most {
		w.per *= 2
	}
	if w.bad < w.bound/8 && w.limit < math.MaxUint64 {
		w.limit = w.limit<<1 | 1
	}
}

// observations returns what is kept, with weights, by time.
//
// A success stands for as many as its cell saw for each that it kept. Where
// failures are sampled, at one rate over the whole window, the weights of
// successes are lowered by that rate: failures count once each in the
// analysis, and every risk stays right.
func (w *window) observations() []condition.Observation {
	list := make([]condition.Observation, 0, w.ok+w.bad)
	limit := w.lowest()
	for _, b := range w.buckets {
		w.sampled(b, limit, func(o condition.Observation) { list = append(list, o) })
	}
	slices.SortFunc(list, func(a, b condition.Observation) int {
		return cmp.Or(a.Time.Compare(b.Time), compareID(a.Request, b.Request))
	})
	return list
}

// lowest is the limit of failures and slow requests that holds for all buckets.
func (w *window) lowest() uint64 {
	limit := uint64(math.MaxUint64)
	for _, b := range w.buckets {
		limit = min(limit, b.limit)
	}
	return limit
}

// sampled calls f with what is kept of a bucket, with weights.
func (w *window) sampled(b *bucket, limit uint64, f func(condition.Observation)) {
	rate := (float64(limit) + 1) / (1 << 64)
	for _, c := range b.cells {
		w.shrink(c)
		weight := 1.0
		if len(c.successes) > 0 {
			weight = rate * float64(c.total.Requests-c.total.Failed-c.total.Slow) / float64(len(c.successes))
		}
		for _, o := range c.successes {
			o.Weight = weight
			f(o.Observation)
		}
		for _, o := range c.others {
			if o.hash <= limit {
				f(o.Observation)
			}
		}
	}
}

// A pane is the rows of a bucket, for mining one outcome.
type pane struct {
	start time.Time
	rows  []interaction.Row
}

// panes returns the buckets that are not as they were when panes of the outcome
// were last asked for.
//
// Requests that ended badly in the other way are left out: whether a failed
// request would have been slow is not known.
func (w *window) panes(outcome request.Outcome) []pane {
	limit := w.lowest()
	if w.laid[outcome] != limit {
		for _, b := range w.buckets {
			delete(b.laid, outcome)
		}
		w.laid[outcome] = limit
	}
	var list []pane
	for _, b := range w.buckets {
		if b.laid[outcome] {
			continue
		}
		b.laid[outcome] = true
		p := pane{start: time.Unix(b.start, 0)}
		w.sampled(b, limit, func(o condition.Observation) {
			row := interaction.Row{Time: o.Time, Total: 1, Conditions: o.Conditions, Trace: o.Request.Trace}
			switch o.Outcome {
			case outcome:
				row.Failed = 1
			case request.OK:
				row.Weight = o.Weight
			default:
				return
			}
			p.rows = append(p.rows, row)
		})
		list = append(list, p)
	}
	return list
}

// oldest is when the first bucket starts; zero if there is none.
func (w *window) oldest() time.Time {
	if len(w.buckets) == 0 {
		return time.Time{}
	}
	return time.Unix(w.buckets[0].start, 0)
}

// totals returns the totals that changed since it was last called, by bucket
// and entry.
func (w *window) totals() []Total {
	var list []Total
	for _, b := range w.buckets {
		for _, c := range b.cells {
			if c.changed {
				c.changed = false
				list = append(list, c.total)
			}
		}
	}
	slices.SortFunc(list, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Entry.Service, b.Entry.Service), cmp.Compare(a.Entry.Operation, b.Entry.Operation))
	})
	return list
}

// rank hashes a request's id. Trace ids are random already by specification;
// the multiplication protects from senders whose ids count up.
func rank(id request.ID) uint64 {
	h := binary.LittleEndian.Uint64(id.Trace[8:])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(id.Span[:])
	h ^= h >> 29
	return h * 0xbf58476d1ce4e5b9
}

// compareID orders requests that started at the same time.
func compareID(a, b request.ID) int {
	return cmp.Or(slices.Compare(a.Trace[:], b.Trace[:]), slices.Compare(a.Span[:], b.Span[:]))
}

// span returns the window that ends at now.
func (w *window) span(now time.Time) telemetry.Window {
	return telemetry.Window{Start: now.Add(-w.length), End: now}
}
