package interaction

import (
	"encoding/binary"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/reuse"
)

const (
	// mostSlices is how many short times a cell is cut into at most, to tell what
	// varies among requests from what varies with time.
	mostSlices = 16
	// sliceRows is how many rows a slice holds on average at least.
	sliceRows = 8
)

// read goes over the rows once: it hashes their conditions, gives each condition that
// rows have a column and counts those rows, numbers the places of the rows in b.group
// and returns the places. Rows without observations have no columns.
func (b *paneBuilder) read(rows []Row) [][]condition.ID {
	n := len(b.catalog.conditions)
	b.having, b.lookup = reuse.Clear(b.having, n), reuse.Clear(b.lookup, n)
	b.group, b.hashes = reuse.Room(b.group, len(rows)), reuse.Room(b.hashes, len(rows))
	b.ids = b.ids[:0]
	clear(b.places)
	l := locator{paneBuilder: b, nowhere: -1}
	having, isPlace := b.having, b.catalog.place[:n]
	for i := range rows {
		r := &rows[i]
		hash, places, has := hashed, 0, int32(1)
		if r.Total == 0 {
			has = 0
		}
		var one condition.ID
		for _, id := range r.Conditions {
			hash = hash.with(id)
			if isPlace[id] {
				one, places = id, places+1
			}
			if having[id] == 0 && has > 0 {
				b.ids = append(b.ids, id)
			}
			having[id] += has
		}
		b.hashes[i] = hash.sum()
		b.group[i] = l.number(r, places, one)
	}
	return b.rank(l.places)
}

// A hash is of a set of conditions by content (FNV-1a over whole numbers, then
// mixed).
type hash uint64

// hashed is the hash of no conditions.
const hashed hash = 14695981039346656037

func (h hash) with(id condition.ID) hash { return (h ^ hash(id)) * 1099511628211 }

func (h hash) sum() uint64 { return mix(uint64(h)) }

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A locator numbers places in the order in which they are met.
type locator struct {
	*paneBuilder
	places  [][]condition.ID
	nowhere int32 // the place of no conditions, -1 if there is none
	key     []byte
}

// number returns the place of a row with so many location conditions, of which one
// is given.
func (l *locator) number(r *Row, places int, one condition.ID) int32 {
	switch places {
	case 0:
		if l.nowhere < 0 {
			l.nowhere = l.add(nil)
		}
		return l.nowhere
	case 1:
		if l.lookup[one] == 0 {
			l.lookup[one] = l.add([]condition.ID{one}) + 1
		}
		return l.lookup[one] - 1
	}
	ids := l.catalog.placesOf(r)
	l.key = l.key[:0]
	for _, id := range ids {
		l.key = binary.BigEndian.AppendUint32(l.key, uint32(id))
	}
	at, ok := l.paneBuilder.places[string(l.key)]
	if !ok {
		at = l.add(ids)
		l.paneBuilder.places[string(l.key)] = at
	}
	return at
}

func (l *locator) add(place []condition.ID) int32 {
	l.places = append(l.places, place)
	return int32(len(l.places)) - 1
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
	b.start = reuse.Clear(b.start, 2*groups+1)
	begins, next := b.start[:groups+1], b.start[groups+1:]
	for _, g := range b.group {
		begins[g+1]++
	}
	for g := range groups {
		begins[g+1] += begins[g]
	}
	copy(next, begins)
	b.order = reuse.Clear(b.order, n)
	for i, g := range b.group {
		b.order[next[g]] = int32(i)
		next[g]++
	}
	return b.order, begins
}
