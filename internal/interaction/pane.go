package interaction

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/telemetry"
)

// A pane is a short stretch of time, laid out for counting: its distinct rows,
// and for each condition which of them have it. It never changes once it is
// made, so that a window of many panes is had by lining them up.
type pane struct {
	start   int64 // nanoseconds since 1970; 0 in a table without times
	seed    uint64
	entries []entry
	cells   []cell // in the order of their entries
	columns []column
	ids     []condition.ID // of the columns, ascending
	words   int            // of bits, one bit an entry
	bad     [][]uint64     // binary digits of the entries' failures, the lowest first
	fine    [][]uint64     // and of their successes
	half    []uint64       // a random half of the entries
	// drawn lists the entries by the leading zeros of their lot, most first;
	// those with at least n of them end at upTo[n].
	drawn []drawn
	upTo  [lots + 1]int
	// first is the conditions of the first of them, one after the other; those of
	// the i-th end at ends[i].
	first   []condition.ID
	ends    []uint32
	failing []failing
	met     []encounter
	total   int64 // observations
	failed  int64 // of them
}

// An entry stands for all rows of one cell with the same conditions.
type entry struct {
	conditions []condition.ID
	hash       uint64 // of the conditions
	failed, ok int64
	// weight and weight2 are the sums of the successes' weights, in 1/64, and
	// of their squares: whole numbers, so that sums do not depend on order.
	weight, weight2 float64
	// badTrace and fineTrace are examples: of those in the entry the ones that
	// come first by rank.
	badTrace, fineTrace telemetry.TraceID
}

// A cell is one place in one pane: a run of entries.
type cell struct {
	place    []condition.ID // the location conditions
	from, to int            // entries
	thickness
	sum
	// heaviest is the most that the successes of an entry weigh.
	heaviest float64
	// each is what every success weighs, in 1/64: 0 if there is none, and differ
	// if they are not all the same.
	each float64
	met  []encounter
}

// An encounter is how many observations met an entity: had any state of it.
type encounter struct {
	entity int32
	n      float64
}

// A column is a condition in a pane.
type column struct {
	id condition.ID
	margin
	// Which entries have it: as bits, or as a list where that is shorter.
	bits []uint64
	list []uint32
}

// weightUnit is the precision to which weights are kept.
const weightUnit = 64

// differ stands for weights that are not all the same.
const differ = -1

const (
	// mostSlices is how many short times a cell is cut into at most, to tell what
	// varies among requests from what varies with time.
	mostSlices = 16
	// sliceRows is how many rows a slice holds on average at least.
	sliceRows = 8
)

// A paneBuilder makes panes. It keeps what it works with from one to the next.
type paneBuilder struct {
	catalog *catalog
	seed    uint64
	slot    []int32 // by condition: its column plus one
	rows    []int32 // by column
	has     []float64
	touched []int32
	seen    []int32 // by entity: the last row that met it, plus one
	met     []float64
	entered []int32 // entities met in a slice
	ofCell  encounters
	ofPane  encounters
	group   []int32 // by row: its place and slice
	start   []int
	order   []int32
	places  map[string]int32
	lookup  []int32 // by condition: the place of that condition alone, plus one
	slots   []int32 // of the hash table of a cell
}

func newPaneBuilder(c *catalog, seed uint64) *paneBuilder {
	return &paneBuilder{catalog: c, seed: seed, places: make(map[string]int32)}
}

// build lays out the rows of one pane, which starts at start and is width long,
// in nanoseconds; a width of 0 says that rows have no times. Rows keep the
// Conditions that they are given.
func (b *paneBuilder) build(start, width int64, rows []Row) *pane {
	n := len(b.catalog.conditions)
	b.slot, b.lookup = grow(b.slot, n), grow(b.lookup, n)
	entities := len(b.catalog.entities)
	b.seen, b.met = grow(b.seen, entities), grow(b.met, entities)
	b.ofCell.n, b.ofPane.n = grow(b.ofCell.n, entities), grow(b.ofPane.n, entities)
	b.rows, b.has = b.rows[:0], b.has[:0]
	p := &pane{start: start, seed: mix(b.seed ^ mix(uint64(start)))}
	places := b.locate(rows)
	b.slice(start, width, rows, len(places))
	members, begins := b.sort(len(rows), len(places)*mostSlices)
	p.cells = make([]cell, 0, len(places))
	p.entries = make([]entry, 0, len(rows))
	for i, place := range places {
		c := cell{place: place}
		from, to := begins[i*mostSlices], begins[(i+1)*mostSlices]
		for s := range mostSlices {
			at := i*mostSlices + s
			b.mix(p, rows, members[begins[at]:begins[at+1]])
		}
		b.merge(p, &c, rows, members[from:to])
		c.met = b.ofCell.take()
		p.cells = append(p.cells, c)
	}
	p.met = b.ofPane.take()
	b.fill(p)
	return p
}

// locate numbers the places of the rows in b.group and returns them.
func (b *paneBuilder) locate(rows []Row) [][]condition.ID {
	b.group = grow(b.group, len(rows))
	clear(b.places)
	var places [][]condition.ID
	var key []byte
	nowhere := int32(-1)
	for i := range rows {
		var first condition.ID
		n := 0
		for _, id := range rows[i].Conditions {
			if b.catalog.place[id] {
				if n == 0 {
					first = id
				}
				n++
			}
		}
		var at int32
		switch n {
		case 0:
			if nowhere < 0 {
				nowhere = int32(len(places))
				places = append(places, nil)
			}
			at = nowhere
		case 1:
			if b.lookup[first] == 0 {
				places = append(places, []condition.ID{first})
				b.lookup[first] = int32(len(places))
			}
			at = b.lookup[first] - 1
		default:
			ids := b.catalog.placesOf(&rows[i])
			key = key[:0]
			for _, id := range ids {
				key = binary.BigEndian.AppendUint32(key, uint32(id))
			}
			known, ok := b.places[string(key)]
			if !ok {
				known = int32(len(places))
				b.places[string(key)] = known
				places = append(places, ids)
			}
			at = known
		}
		b.group[i] = at
	}
	return b.rank(places)
}

// rank orders places by their conditions, so that their order is not that of the
// rows, and numbers b.group anew.
func (b *paneBuilder) rank(places [][]condition.ID) [][]condition.ID {
	order := make([]int32, len(places))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return slices.Compare(places[x], places[y]) })
	sorted, number := make([][]condition.ID, len(places)), make([]int32, len(places))
	for to, from := range order {
		sorted[to], number[from] = places[from], int32(to)
	}
	for i, at := range b.group {
		b.group[i] = number[at]
	}
	return sorted
}

// placesOf lists the location conditions of a row.
func (c *catalog) placesOf(r *Row) []condition.ID {
	var ids []condition.ID
	for _, id := range r.Conditions {
		if c.place[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// slice turns the place of each row in b.group into its place and slice.
func (b *paneBuilder) slice(start, width int64, rows []Row, places int) {
	per := make([]int64, places) // how many slices the place has
	for _, at := range b.group {
		per[at]++
	}
	for i, n := range per {
		per[i] = min(max(n/sliceRows, 1), mostSlices)
	}
	for i, at := range b.group {
		s := int64(0)
		if width > 0 {
			s = min(max((rows[i].Time.UnixNano()-start)*per[at]/width, 0), per[at]-1)
		}
		b.group[i] = at*mostSlices + int32(s)
	}
}

// sort lists rows in the order of their groups, and where each group begins.
func (b *paneBuilder) sort(n, groups int) (members []int32, begins []int) {
	b.start = grow(b.start, 2*groups+1)
	begins, next := b.start[:groups+1], b.start[groups+1:]
	for _, g := range b.group {
		begins[g+1]++
	}
	for g := range groups {
		begins[g+1] += begins[g]
	}
	copy(next, begins)
	b.order = grow(b.order, n)
	for i, g := range b.group {
		b.order[next[g]] = int32(i)
		next[g]++
	}
	return b.order, begins
}

// mix counts the conditions of a slice of a cell.
func (b *paneBuilder) mix(p *pane, rows []Row, members []int32) {
	var all float64
	for _, i := range members {
		r := &rows[i]
		if r.Total == 0 {
			continue
		}
		n := float64(r.Total)
		all += n
		for _, id := range r.Conditions {
			at := b.slot[id]
			if at == 0 {
				p.columns = append(p.columns, column{id: id})
				b.rows, b.has = append(b.rows, 0), append(b.has, 0)
				at = int32(len(p.columns))
				b.slot[id] = at
			}
			at--
			if b.has[at] == 0 {
				b.touched = append(b.touched, at)
			}
			b.has[at] += n
			b.rows[at]++
			if e := b.catalog.entity[id]; e >= 0 && b.seen[e] != i+1 {
				b.seen[e] = i + 1
				if b.met[e] == 0 {
					b.entered = append(b.entered, e)
				}
				b.met[e] += n
			}
		}
	}
	for _, at := range b.touched {
		x := &p.columns[at]
		has := b.has[at]
		x.among += min(has, all-has)
		if e := b.catalog.entity[x.id]; e >= 0 {
			x.within += min(has, b.met[e]-has)
		}
		x.total += int64(has)
		b.has[at] = 0
	}
	for _, e := range b.entered {
		b.ofCell.add(e, b.met[e])
		b.ofPane.add(e, b.met[e])
		b.met[e] = 0
	}
	b.touched, b.entered = b.touched[:0], b.entered[:0]
}

// encounters add up by entity.
type encounters struct {
	n    []float64
	list []int32 // entities with any
}

func (x *encounters) add(entity int32, n float64) {
	if x.n[entity] == 0 {
		x.list = append(x.list, entity)
	}
	x.n[entity] += n
}

// take returns the sums by entity and starts again.
func (x *encounters) take() []encounter {
	slices.Sort(x.list)
	out := make([]encounter, len(x.list))
	for i, e := range x.list {
		out[i] = encounter{e, x.n[e]}
		x.n[e] = 0
	}
	x.list = x.list[:0]
	return out
}

// merge makes the entries of a cell from its rows.
func (b *paneBuilder) merge(p *pane, c *cell, rows []Row, members []int32) {
	c.from = len(p.entries)
	size := 1 << bits.Len(uint(2*len(members)))
	b.slots = grow(b.slots, size)
	for _, i := range members {
		r := &rows[i]
		if r.Total == 0 {
			continue
		}
		c.thickness.add(r)
		e := p.entry(b.slots, r)
		w := r.Weight
		if w == 0 {
			w = 1
		}
		w = max(1, math.Round(w*weightUnit))
		n := int64(r.Total - r.Failed)
		if n > 0 && c.each != w {
			if c.each == 0 {
				c.each = w
			} else {
				c.each = differ
			}
		}
		e.failed += int64(r.Failed)
		e.ok += n
		e.weight += w * float64(n)
		e.weight2 += w * w * float64(n)
		if r.Failed > 0 {
			e.badTrace = earlier(e.badTrace, r.Trace)
		} else {
			e.fineTrace = earlier(e.fineTrace, r.Trace)
		}
	}
	c.to = len(p.entries)
	for i := c.from; i < c.to; i++ {
		c.sum.add(&p.entries[i])
		c.heaviest = max(c.heaviest, p.entries[i].weight)
	}
	p.total += c.sum.total()
	p.failed += c.sum.failed
}

// entry returns the entry of a row's conditions, making it if there is none.
// slots are a hash table of the cell's entries, by number plus one, with linear
// probing.
func (p *pane) entry(slots []int32, r *Row) *entry {
	hash := hashIDs(r.Conditions)
	mask := uint64(len(slots) - 1)
	at := hash & mask
	for ; slots[at] != 0; at = (at + 1) & mask {
		if e := &p.entries[slots[at]-1]; e.hash == hash && slices.Equal(e.conditions, r.Conditions) {
			return e
		}
	}
	p.entries = append(p.entries, entry{conditions: r.Conditions, hash: hash})
	slots[at] = int32(len(p.entries))
	return &p.entries[len(p.entries)-1]
}

// fill lays the entries out as bits.
func (b *paneBuilder) fill(p *pane) {
	b.arrange(p)
	p.words = (len(p.entries) + 63) / 64
	dense, long := 0, 0
	for i := range p.columns {
		if int(b.rows[i]) >= p.words {
			dense++
		} else {
			long += int(b.rows[i])
		}
	}
	var bad, fine int64
	for i := range p.entries {
		bad, fine = bad|p.entries[i].failed, fine|p.entries[i].ok
	}
	digits := bits.Len64(uint64(bad)) + bits.Len64(uint64(fine))
	words := make([]uint64, (dense+digits+1)*p.words)
	row := func() []uint64 {
		r := words[:p.words:p.words]
		words = words[p.words:]
		return r
	}
	lists := make([]uint32, long)
	for i := range p.columns {
		if n := int(b.rows[i]); n >= p.words {
			p.columns[i].bits = row()
		} else {
			p.columns[i].list = lists[:0:n]
			lists = lists[n:]
		}
	}
	for range bits.Len64(uint64(bad)) {
		p.bad = append(p.bad, row())
	}
	for range bits.Len64(uint64(fine)) {
		p.fine = append(p.fine, row())
	}
	p.half = row()
	for i := range p.entries {
		b.place(p, i)
	}
	p.draw()
	p.fail()
	for i := range p.columns {
		b.slot[p.columns[i].id] = 0
	}
}

// arrange puts the columns in the order of their conditions.
func (b *paneBuilder) arrange(p *pane) {
	p.ids = make([]condition.ID, len(p.columns))
	for i := range p.columns {
		p.ids[i] = p.columns[i].id
	}
	slices.Sort(p.ids)
	columns, rows := make([]column, len(p.columns)), make([]int32, len(p.columns))
	for to, id := range p.ids {
		from := b.slot[id] - 1
		columns[to], rows[to] = p.columns[from], b.rows[from]
		b.slot[id] = int32(to + 1)
	}
	p.columns, b.rows = columns, rows
}

// place sets the bits of an entry.
func (b *paneBuilder) place(p *pane, i int) {
	e := &p.entries[i]
	w, bit := i/64, uint64(1)<<(i%64)
	for d, plane := range p.bad {
		plane[w] |= uint64(e.failed) >> d & 1 << (i % 64)
	}
	for d, plane := range p.fine {
		plane[w] |= uint64(e.ok) >> d & 1 << (i % 64)
	}
	if p.lot(i)&1 == 1 {
		p.half[w] |= bit
	}
	key := mix(uint64(p.start) ^ mix(uint64(i)))
	for _, id := range e.conditions {
		x := &p.columns[b.slot[id]-1]
		x.entries++
		x.failed += e.failed
		x.key += key
		if x.bits != nil {
			x.bits[w] |= bit
		} else {
			x.list = append(x.list, uint32(i))
		}
	}
}

// column returns the column of a condition, nil if no entry has it.
func (p *pane) column(id condition.ID) *column {
	i, ok := slices.BinarySearch(p.ids, id)
	if !ok {
		return nil
	}
	return &p.columns[i]
}

// hashIDs hashes a set of conditions by content (FNV-1a over whole numbers,
// then mixed).
func hashIDs(ids []condition.ID) uint64 {
	h := uint64(14695981039346656037)
	for _, id := range ids {
		h = (h ^ uint64(id)) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// grow returns a slice of n zeros in the room of s, if that suffices.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	s = s[:n]
	clear(s)
	return s
}
