package duckdb

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
)

// draws is how many different draws there are: which rows are picked depends on
// a hash of their number and the seed, below this.
const draws = 1 << 40

// oversample is how many times as often as on average a row without failures may
// be picked: more would be read of all of the file.
const oversample = 4

// A share is how many of the rows are picked, of those in which something failed
// and of the others.
type share struct{ failing, other float64 }

// shares returns how many rows a sample has of a table that is larger than the
// bound: half of the bound, and in it all in which something failed, if those are
// no more than half of that, and others for the rest of it.
func (r *tableReader) shares() share {
	bound := float64(max(r.src.MaxRows, 8)) / 2
	failing, other := float64(r.total.failing), float64(r.total.lines-r.total.failing)
	s := share{failing: 1, other: 1}
	if failing > bound/2 && other > 0 {
		s.failing = min(1, max(bound/2, bound-other)/failing)
	}
	if room := bound - failing*s.failing; other > room {
		s.other = room / other
	}
	return s
}

// Rates say which rows a sample has: those with a draw below failing, of rows with
// failures, and of others below what is given for their bucket of time.
type rates struct {
	failing float64
	highest float64 // of the others
	others  []rate  // by stratum
}

// A rate is for rows without failures: each that is picked stands for weight of
// them, to each row that failed.
type rate struct {
	bucket        int64
	below, weight float64
}

// rates returns the rates of a sample.
//
// Times in which something failed share nine tenths of what a sample has of the
// other rows, evenly as far as they have the rows and oversample allows: what is
// compared with the failures are rows of the same time.
func (r *tableReader) rates() rates {
	s := r.shares()
	var with, without []int64
	for _, t := range r.strata {
		if t.failing > 0 {
			with = append(with, t.other)
		} else {
			without = append(without, t.other)
		}
	}
	room := s.other * float64(sum(with)+sum(without))
	most := level(with, 0.9*room)
	rest := level(without, room-min(0.9*room, float64(sum(with))))
	all := rates{failing: math.RoundToEven(s.failing * draws)}
	for _, t := range r.strata {
		keep := most
		if t.failing == 0 {
			keep = rest
		}
		of := max(1e-9, min(1, keep/float64(max(1, t.other)), oversample*s.other))
		all.others = append(all.others, rate{t.bucket, math.RoundToEven(of * draws), s.failing / of})
		all.highest = max(all.highest, math.RoundToEven(of*draws))
	}
	return all
}

// pickSQL selects the rows of lines that are mined, with weight, how many rows
// without failures each of them stands for, to each that failed: all of them, or
// a sample of a large table.
func (r *tableReader) pickSQL(bucket time.Duration) string {
	if r.drawn {
		return "SELECT * FROM drawn"
	}
	if !r.sampled() {
		return "SELECT *, CAST(1 AS DOUBLE) AS weight FROM lines WHERE total > 0"
	}
	s := r.rates()
	others := make([]string, len(s.others))
	for i, o := range s.others {
		others[i] = fmt.Sprintf("(%d, %.0f, %s)", o.bucket, o.below, doubleSQL(o.weight))
	}
	on := bucketSQL(bucket)
	if len(s.others) == 1 {
		on = fmt.Sprint(s.others[0].bucket)
	}
	// The first filter is within the scan, and decides what is read at all.
	return fmt.Sprintf(`SELECT drawn.*, CASE WHEN failed > 0 THEN 1 ELSE rates.weight END AS weight
		FROM (SELECT * FROM (SELECT *, hash(xor(hash(n), CAST(%d AS UBIGINT))) & %d AS draw FROM lines)
			WHERE total > 0 AND (failed > 0 AND draw < %.0f OR failed = 0 AND draw < %.0f)) AS drawn
		JOIN (VALUES %s) AS rates(bucket, below, weight) ON rates.bucket = %s WHERE failed > 0 OR draw < below`,
		r.src.Seed, uint64(draws-1), s.failing, s.highest, strings.Join(others, ", "), on)
}

// mostProfiled is up to how many times the rows that may be mined the values of
// each column are counted in all rows. To look at each cell of a larger table
// would take longer than all the rest; there the sample has to do, weighted.
const mostProfiled = 100

// draw keeps the sample of a very large table, so that the values of its columns
// can be counted in it before it is packed.
func (r *tableReader) draw(ctx context.Context) error {
	if r.held != nil || r.total.lines <= mostProfiled*int64(r.src.MaxRows) {
		return nil
	}
	r.say("choosing which of " + wording.Count(r.total.lines) + " rows to search")
	var columns []string
	for _, i := range r.offered() {
		columns = append(columns, fmt.Sprintf("c%d", i))
	}
	columns = append(columns, "total", "failed", "moment", "weight")
	if r.src.Weight != "" {
		columns = append(columns, "stands")
	}
	err := r.exec(ctx, fmt.Sprintf("CREATE TEMP TABLE drawn AS SELECT %s FROM (%s)", strings.Join(columns, ", "), r.pickSQL(r.bucket())))
	r.drawn = err == nil
	return err
}

// sampled reports whether only a sample of the rows is mined.
func (r *tableReader) sampled() bool { return r.total.lines > int64(r.src.MaxRows) }

// bucketSQL is the number of the row's bucket of time.
func bucketSQL(bucket time.Duration) string {
	if bucket <= 0 {
		return "CAST(0 AS BIGINT)"
	}
	return fmt.Sprintf("(moment // %d)", bucket.Microseconds())
}

// level returns how many each may have at most, for all of them to have about
// room together.
func level(sizes []int64, room float64) float64 {
	ascending := slices.Sorted(slices.Values(sizes))
	for i, n := range ascending {
		each := room / float64(len(ascending)-i)
		if float64(n) >= each {
			return each
		}
		room -= float64(n)
	}
	if len(ascending) == 0 {
		return 0
	}
	return float64(ascending[len(ascending)-1])
}

func sum(list []int64) int64 {
	var total int64
	for _, n := range list {
		total += n
	}
	return total
}

// sampleNote says what of a large table was searched.
func (r *tableReader) sampleNote() string {
	s := r.shares()
	failing := oneIn(s.failing)
	if s.failing >= 1 {
		failing = "all " + wording.Count(r.total.failing)
	}
	with := "with failures" // a row may stand for many
	if r.src.Slow != "" {
		with = "that were slow"
	}
	return fmt.Sprintf("Of %s rows, %s %s and %s of the others were searched; what was found is counted on all rows.",
		wording.Count(r.total.lines), failing, with, oneIn(s.other))
}

// oneIn writes a share as one in so many.
func oneIn(share float64) string {
	if n := 1 / share; n >= 10 {
		return "one in " + wording.Count(int64(n+0.5))
	}
	return fmt.Sprintf("one in %.2g", 1/share)
}
