package interaction

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
)

const (
	// thinStratum is how many observations a stratum needs to stand alone, and
	// fewInStratum how many rows: one row of many observations has nothing to be
	// compared with.
	thinStratum  = 40
	fewInStratum = 8
	// mostBuckets bounds the strata of a long table; beyond it buckets widen.
	mostBuckets = 1000
)

// check reports the first row that is not what Table says.
func check(t Table) error {
	var wrong [2]error
	inTwo(len(t.Rows), func(half, from, to int) { wrong[half] = checkRows(t, from, to) })
	return cmp.Or(wrong[0], wrong[1])
}

// checkRows checks the rows from one to before another.
func checkRows(t Table, from, to int) error {
	for i := from; i < to; i++ {
		r := &t.Rows[i]
		switch {
		case r.Total < 0:
			return fmt.Errorf("row %d: total %d: want 0 or more", i, r.Total)
		case r.Failed < 0 || r.Failed > r.Total:
			return fmt.Errorf("row %d: failed %d of %d: want 0 to the total", i, r.Failed, r.Total)
		case !(r.Weight >= 0) || math.IsInf(r.Weight, 0):
			return fmt.Errorf("row %d: weight %v: want a finite number, 0 or more", i, r.Weight)
		case i > 0 && r.Time.IsZero() != t.Rows[0].Time.IsZero():
			return fmt.Errorf("row %d: time %q: want a time in all rows or in none, and row 0 has %q",
				i, stamp(r.Time), stamp(t.Rows[0].Time))
		}
		for j, id := range r.Conditions {
			if int(id) >= len(t.Conditions) {
				return fmt.Errorf("row %d: condition %d: the table has %d conditions", i, id, len(t.Conditions))
			}
			if j > 0 && id <= r.Conditions[j-1] {
				return fmt.Errorf("row %d: condition %d after %d: want ascending numbers, each once",
					i, id, r.Conditions[j-1])
			}
		}
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// A grouping says for each row of a table where and when it was, in small
// numbers that do not depend on the order of the rows.
type grouping struct {
	location []int32 // by row
	nanos    []int64 // by row: its time, since 1970; 0 in a table without times
	rows     []int32 // by location
	begins   []int   // where in rows each location begins
	stratum  []int32 // by row: location and merged time buckets
	strata   int
	at       []int32          // the location of each stratum
	bucket   []int64          // the first bucket of time of each
	places   [][]condition.ID // the location conditions, by location
	isPlace  []bool           // by condition
}

// group divides the rows into strata: by location, and within it by bucket of
// time, where neighbours too thin to stand alone are merged.
func group(t Table, o Options) grouping {
	g := grouping{
		location: make([]int32, len(t.Rows)),
		stratum:  make([]int32, len(t.Rows)),
		isPlace:  make([]bool, len(t.Conditions)),
	}
	for i, c := range t.Conditions {
		g.isPlace[i] = slices.Contains(o.Location, c.Dimension)
	}
	g.locate(t)

	width, first := g.clock(t, o.Bucket)
	g.rows, g.begins = order(g.location, len(g.places))
	per := make([]thickness, mostBuckets+1) // of one location, by bucket
	number := make([]int32, len(per))
	bucket := make([]int32, len(t.Rows))
	var cells []int // the buckets that the location has
	for loc := range g.places {
		members := g.rows[g.begins[loc]:g.begins[loc+1]]
		cells = cells[:0]
		for _, i := range members {
			b := int((g.nanos[i] - first) / width)
			bucket[i] = int32(b)
			for b >= len(per) {
				per, number = append(per, thickness{}), append(number, 0)
			}
			if number[b] == 0 {
				number[b] = 1
				cells = append(cells, b)
			}
			per[b].add(&t.Rows[i])
		}
		slices.Sort(cells)
		g.merge(int32(loc), cells, per, number)
		for _, i := range members {
			g.stratum[i] = number[bucket[i]]
		}
		for _, b := range cells {
			per[b], number[b] = thickness{}, 0
		}
	}
	return g
}

// merge makes strata of the buckets that a location has, ascending, and sets
// the number of each. A stratum takes buckets until it is thick enough, and the
// rest of the location too if that would be too thin.
func (g *grouping) merge(location int32, cells []int, per []thickness, number []int32) {
	for i := 0; i < len(cells); {
		var n, rest thickness
		j := i
		for ; j < len(cells) && n.thin(); j++ {
			n = n.plus(per[cells[j]])
		}
		end := j
		for ; end < len(cells) && rest.thin(); end++ {
			rest = rest.plus(per[cells[end]])
		}
		if rest.thin() {
			j = end
		}
		for _, b := range cells[i:j] {
			number[b] = int32(g.strata)
		}
		g.at = append(g.at, location)
		g.bucket = append(g.bucket, int64(cells[i]))
		g.strata++
		i = j
	}
}

// A thickness is how much there is in a part of the traffic.
type thickness struct{ observations, rows int }

func (n *thickness) add(r *Row) {
	if r.Total > 0 {
		*n = thickness{n.observations + r.Total, n.rows + 1}
	}
}

func (n thickness) plus(o thickness) thickness {
	return thickness{n.observations + o.observations, n.rows + o.rows}
}

// thin reports whether it is too little to stand alone.
func (n thickness) thin() bool { return n.observations < thinStratum || n.rows < fewInStratum }

// locate numbers the locations: each combination of location conditions that a
// row has. Those with few observations are one location together.
func (g *grouping) locate(t Table) {
	if !slices.Contains(g.isPlace, true) {
		g.places = [][]condition.ID{nil}
		return
	}
	// A combination is first numbered as it comes: 0 for none, then those of one
	// condition by its number, then those of several.
	const many = -1
	inTwo(len(t.Rows), func(_, from, to int) {
		for i := from; i < to; i++ {
			n := int32(0)
			for _, id := range t.Rows[i].Conditions {
				if !g.isPlace[id] {
					continue
				}
				if n != 0 {
					n = many
					break
				}
				n = int32(id) + 1
			}
			g.location[i] = n
		}
	})
	total := make([]int, len(t.Conditions)+1)
	sets := make([][]condition.ID, len(total))
	for id := range t.Conditions {
		sets[id+1] = []condition.ID{condition.ID(id)}
	}
	several := make(map[string]int32)
	var key []byte
	for i := range t.Rows {
		r := &t.Rows[i]
		if g.location[i] == many {
			key = key[:0]
			for _, id := range r.Conditions {
				if g.isPlace[id] {
					key = binary.BigEndian.AppendUint32(key, uint32(id))
				}
			}
			n, known := several[string(key)]
			if !known {
				n = int32(len(sets))
				several[string(key)] = n
				sets, total = append(sets, g.placesOf(r)), append(total, 0)
			}
			g.location[i] = n
		}
		total[g.location[i]] += r.Total
	}
	var thick []int32
	for n := range sets {
		if total[n] >= thinStratum {
			thick = append(thick, int32(n))
		}
	}
	slices.SortFunc(thick, func(a, b int32) int { return slices.Compare(sets[a], sets[b]) })
	number := slices.Repeat([]int32{int32(len(thick))}, len(sets))
	for i, n := range thick {
		number[n] = int32(i)
		g.places = append(g.places, sets[n])
	}
	g.places = append(g.places, nil) // the others
	for i, n := range g.location {
		g.location[i] = number[n]
	}
}

// placesOf lists the location conditions of a row.
func (g *grouping) placesOf(r *Row) []condition.ID {
	var ids []condition.ID
	for _, id := range r.Conditions {
		if g.isPlace[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// clock reads the times of the rows and returns the width of a bucket and where
// the first one starts, in nanoseconds. Buckets are aligned to multiples of
// their width.
func (g *grouping) clock(t Table, bucket time.Duration) (width, first int64) {
	width = int64(bucket)
	g.nanos = make([]int64, len(t.Rows))
	if len(t.Rows) == 0 || t.Rows[0].Time.IsZero() {
		return width, 0 // then none has a time
	}
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range t.Rows {
		at := t.Rows[i].Time.UnixNano()
		g.nanos[i] = at
		low, high = min(low, at), max(high, at)
	}
	if n := (high - low) / width / mostBuckets; n > 0 {
		width *= n + 1
	}
	first = low - ((low%width)+width)%width
	return width, first
}
