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
	for i, r := range t.Rows {
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

	type cell struct {
		location int32
		bucket   int64
	}
	width, first := bucketWidth(t, o.Bucket)
	where := make([]cell, len(t.Rows))
	total := make(map[cell]thickness)
	for i, r := range t.Rows {
		c := cell{location: g.location[i]}
		if !r.Time.IsZero() {
			c.bucket = (r.Time.UnixNano() - first) / width
		}
		where[i] = c
		n := total[c]
		n.add(r)
		total[c] = n
	}
	cells := make([]cell, 0, len(total))
	for c := range total {
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.location, b.location), cmp.Compare(a.bucket, b.bucket))
	})
	number := make(map[cell]int32, len(cells))
	for i := 0; i < len(cells); {
		// A stratum takes cells of its location until it is thick enough, and
		// the rest of the location too if that would be too thin.
		var n, rest thickness
		j := i
		for ; j < len(cells) && cells[j].location == cells[i].location && n.thin(); j++ {
			n = n.plus(total[cells[j]])
		}
		end := j
		for ; end < len(cells) && cells[end].location == cells[i].location && rest.thin(); end++ {
			rest = rest.plus(total[cells[end]])
		}
		if rest.thin() {
			j = end
		}
		for _, c := range cells[i:j] {
			number[c] = int32(g.strata)
		}
		g.at = append(g.at, cells[i].location)
		g.bucket = append(g.bucket, cells[i].bucket)
		g.strata++
		i = j
	}
	for i, c := range where {
		g.stratum[i] = number[c]
	}
	return g
}

// A thickness is how much there is in a part of the traffic.
type thickness struct{ observations, rows int }

func (n *thickness) add(r Row) {
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
	key := func(r Row, buf []byte) []byte {
		for _, id := range r.Conditions {
			if g.isPlace[id] {
				buf = binary.BigEndian.AppendUint32(buf, uint32(id))
			}
		}
		return buf
	}
	total := make(map[string]int)
	var buf []byte
	for _, r := range t.Rows {
		buf = key(r, buf[:0])
		total[string(buf)] += r.Total
	}
	var keys []string
	for k, n := range total {
		if n >= thinStratum {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	number := make(map[string]int32, len(keys))
	for i, k := range keys {
		number[k] = int32(i)
		var ids []condition.ID
		for b := []byte(k); len(b) > 0; b = b[4:] {
			ids = append(ids, condition.ID(binary.BigEndian.Uint32(b)))
		}
		g.places = append(g.places, ids)
	}
	other := int32(len(keys))
	g.places = append(g.places, nil)
	for i, r := range t.Rows {
		buf = key(r, buf[:0])
		if n, ok := number[string(buf)]; ok {
			g.location[i] = n
		} else {
			g.location[i] = other
		}
	}
}

// bucketWidth returns the width of a bucket and where the first one starts, in
// nanoseconds. Buckets are aligned to multiples of their width.
func bucketWidth(t Table, bucket time.Duration) (width, first int64) {
	width = int64(bucket)
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for _, r := range t.Rows {
		if !r.Time.IsZero() {
			low, high = min(low, r.Time.UnixNano()), max(high, r.Time.UnixNano())
		}
	}
	if low > high {
		return width, 0
	}
	if n := (high - low) / width / mostBuckets; n > 0 {
		width *= n + 1
	}
	first = low - ((low%width)+width)%width
	return width, first
}
