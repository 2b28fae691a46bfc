package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"example.test/eddy/internal/wording"
)

// MaxWeight is the most that a success may stand for.
const MaxWeight = 1_000_000

// weightUnit is the precision of weights: they are counted in 1/64, as they are
// mined, so that sums of them are exact.
const weightUnit = 64

// A TableWeight is what the rows of a table stand for.
type TableWeight struct {
	Column string `json:"column"`
	// Requests is how many requests the observations stand for.
	Requests int `json:"requests"`
}

// weight is what the rows stand for; nil if no column says that.
func (r *tableReader) weight() *TableWeight {
	if r.src.Weight == "" {
		return nil
	}
	return &TableWeight{Column: r.src.Weight, Requests: int(math.Round(r.total.requests))}
}

// standsSQL is how many requests a success of the row stands for, in units; 0 if the
// cell is no weight.
func (t columnType) standsSQL() string {
	const cell = "told_weight"
	x := t.numberSQL(cell)
	return fmt.Sprintf("CASE WHEN coalesce(%s, false) THEN CASE WHEN %s BETWEEN 1 AND %d THEN CAST(round(%[2]s * %[4]d) AS BIGINT) ELSE 0 END ELSE %[4]d END",
		t.someSQL(cell), x, MaxWeight, weightUnit)
}

// heavySQL counts the rows of lines in which all failed and that have a weight above 1.
func (r *tableReader) heavySQL() string {
	if r.src.Weight == "" {
		return "CAST(0 AS BIGINT)"
	}
	return fmt.Sprintf("count(*) FILTER (failed > 0 AND failed = total AND stands > %d)", weightUnit)
}

// unitsSQL adds up, over rows of lines, the power of what each success stands for, in
// units; 0 if no column says that. The sums are of whole numbers, and do not depend on
// their order.
func (r *tableReader) unitsSQL(power int) string {
	if r.src.Weight == "" {
		return "CAST(0 AS DOUBLE)"
	}
	return "CAST(coalesce(sum(CAST(total - failed AS HUGEINT)" + strings.Repeat(" * stands", power) + "), 0) AS DOUBLE)"
}

// requestsSQL is how many requests rows of lines stand for, each counted as often as
// its share says.
func (r *tableReader) requestsSQL(share string) string {
	switch {
	case r.src.Weight != "":
		return fmt.Sprintf("sum((failed + (total - failed) * stands / %s) * %s)", doubleSQL(weightUnit), share)
	case share == "1":
		return "sum(total)"
	}
	return "sum(total * " + share + ")"
}

// toldSQL lists the columns of recordsSQL that hold cells as they were.
func (r *tableReader) toldSQL() string {
	if r.src.Weight == "" {
		return "told, told_count, told_time"
	}
	return "told, told_count, told_time, told_weight"
}

// explainWeight says which row has a weight that is none, if there is one.
func (r *tableReader) explainWeight(ctx context.Context) error {
	if r.src.Weight == "" {
		return nil
	}
	// Rows are numbered in their order.
	if err := r.exec(ctx, "SET preserve_insertion_order=true"); err != nil {
		return err
	}
	for i := range r.files {
		if err := r.explainWeightIn(ctx, i); err != nil {
			return err
		}
	}
	return nil // something else is wrong
}

// explainWeightIn says so of one file.
func (r *tableReader) explainWeightIn(ctx context.Context, file int) error {
	one := *r
	one.files = r.files[file : file+1]
	const query = `SELECT count(*) FILTER (wrong), count(*), min(n) FILTER (wrong), arg_min(told_weight, n) FILTER (wrong) FROM (SELECT told_weight, row_number() OVER () AS n,
		bad AND told_weight <> '' AND NOT coalesce(try_cast(told_weight AS DOUBLE) BETWEEN 1 AND %d, false) AS wrong FROM (%s))`
	var wrong, rows int64
	var first sql.NullInt64
	var cell sql.NullString
	if err := r.db.QueryRowContext(ctx, fmt.Sprintf(query, MaxWeight, one.recordsSQL(nil, false))).Scan(&wrong, &rows, &first, &cell); err != nil {
		return one.inFile(err)
	}
	if wrong == 0 {
		return nil
	}
	return fmt.Errorf("%s: column %q: %s of %s rows hold no weight, the first of them row %s below the header: %q; want from 1 to %s, how many requests a row that did not fail stands for, or nothing for 1",
		one.files[0].name, r.src.Weight, wording.Count(wrong), wording.Count(rows), wording.Count(first.Int64), cell.String, wording.Count(MaxWeight))
}

// heavyNote says that failures have weights, which are not used.
func (r *tableReader) heavyNote() string {
	words := r.words()
	return fmt.Sprintf("Of the rows that %s, %s have a %s above 1: each was counted once, for all %s are taken to be in the table. If some are not, risks are higher than shown.",
		words.Did, wording.Count(r.total.heavy), r.src.Weight, words.Nouns)
}

// A weighted is part of the lines of a kind, in which each success weighs the same.
type weighted struct {
	failed, ok int64
	each       float64 // 0 if no column says so
}

// weights divides a kind into parts whose successes are as many, weigh as much and add
// up to the same squares, which is all that is asked of weights: one part if all weigh
// the same, else two.
func (k *lineKind) weights() []weighted {
	n := k.total - k.failed
	if n == 0 || k.units == 0 {
		return []weighted{{k.failed, n, 0}}
	}
	mean := k.units / weightUnit / float64(n)
	spread := math.Sqrt(max(0, k.squares/weightUnit/weightUnit/float64(n)-mean*mean))
	if n == 1 || spread < 1e-6*mean {
		return []weighted{{k.failed, n, mean}}
	}
	// Of the many that weigh less, none may weigh less than 1, as none does.
	odds := min(1, (mean-1)*(mean-1)/spread/spread)
	few := max(1, int64(odds/(1+odds)*float64(n)))
	more := math.Sqrt(float64(n-few) / float64(few))
	return []weighted{
		{k.failed, n - few, mean - spread/more},
		{0, few, mean + spread*more},
	}
}

// A wide is a sum of products of whole numbers, of 128 bits.
type wide struct{ high, low uint64 }

func (w *wide) add(x, y uint64) {
	high, low := bits.Mul64(x, y)
	w.plus(wide{high, low})
}

func (w *wide) plus(o wide) {
	var carry uint64
	w.low, carry = bits.Add64(w.low, o.low, 0)
	w.high, _ = bits.Add64(w.high, o.high, carry)
}

func (w *wide) float() float64 { return float64(w.high)*0x1p64 + float64(w.low) }
