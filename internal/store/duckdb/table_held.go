package duckdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// What is asked of lines in SQL, asked of held ones. Each function says which it is
// the twin of; tests compare their answers.

// bucketOf is bucketSQL.
func bucketOf(moment int64, bucket time.Duration) int64 {
	if bucket <= 0 {
		return 0
	}
	return moment / bucket.Microseconds()
}

// countBuckets is tableReader.countBuckets.
func (h *heldLines) countBuckets(bucket time.Duration) []bucketCount {
	of := make(map[int64]*bucketCount)
	var last *bucketCount
	for k := range h.blocks {
		b := &h.blocks[k]
		for line, moment := range b.moment {
			at := bucketOf(moment, bucket)
			if last == nil || last.bucket != at {
				if last = of[at]; last == nil {
					last = &bucketCount{bucket: at}
					of[at] = last
				}
			}
			last.add(b.total[line], b.failed[line], b.stand(line))
		}
	}
	list := make([]bucketCount, 0, len(of))
	for _, c := range of {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b bucketCount) int { return cmp.Compare(a.bucket, b.bucket) })
	if len(list) > 0 {
		list[0].bad = h.bad
	}
	return list
}

// profileHeld is tableReader.profile: it counts how often each word of each column
// occurs, and leaves it to DuckDB to say what the words are.
func (r *tableReader) profileHeld(ctx context.Context) error {
	if err := r.exec(ctx, "CREATE TEMP TABLE words (col BIGINT, number BIGINT, text VARCHAR, x DOUBLE, lines BIGINT, total BIGINT, failed BIGINT, requests BIGINT)"); err != nil {
		return err
	}
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return err
	}
	columns := r.offered()
	counts := r.held.countWords(columns)
	err = fill(ctx, conn, "temp", "words", func(add addRow) error {
		for k, i := range columns {
			for n, word := range r.held.words[i].list {
				c := &counts[k][n]
				if c.lines == 0 {
					continue
				}
				var text, x any
				switch {
				case word.rounded:
					x = word.number
				case n > 0:
					text = word.text
				}
				if err := add(int64(i), int64(n), text, x, c.lines, c.total, c.failed, c.requests()); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := errors.Join(err, conn.Close()); err != nil {
		return err
	}
	return r.exec(ctx, "CREATE TEMP VIEW profile AS SELECT col, coalesce(CAST(x AS VARCHAR), text) AS value, lines, total, failed, requests FROM words")
}

// A wordCount is how often a word occurs.
type wordCount struct {
	lines, total, failed int64
	units                float64 // of weight beyond 1 that the successes have
}

// requests is what the observations stand for.
func (c *wordCount) requests() int64 { return c.total + int64(math.Round(c.units/weightUnit)) }

// countWords counts the lines with each word of columns.
func (h *heldLines) countWords(columns []int) [][]wordCount {
	counts := make([][]wordCount, len(columns))
	var wait sync.WaitGroup
	each := runtime.GOMAXPROCS(0)
	for first := range each {
		wait.Go(func() {
			for k := first; k < len(columns); k += each {
				counts[k] = h.countColumn(columns[k])
			}
		})
	}
	wait.Wait()
	return counts
}

func (h *heldLines) countColumn(column int) []wordCount {
	counts := make([]wordCount, len(h.words[column].list))
	for k := range h.blocks {
		b := &h.blocks[k]
		b.words[column].count(counts, b)
	}
	return counts
}

// readNumbers asks DuckDB which words of a column of numbers are numbers.
func (r *tableReader) readNumbers(ctx context.Context, column int) error {
	numbers := make([]float64, len(r.held.words[column].list))
	for n := range numbers {
		numbers[n] = math.NaN()
	}
	rows, err := r.db.QueryContext(ctx, fmt.Sprintf("SELECT number, x FROM (SELECT number, %s AS x FROM words WHERE col = %d) WHERE isfinite(x)",
		typeText.numberSQL("text"), column))
	if err != nil {
		return r.inFile(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var x float64
		if err := rows.Scan(&n, &x); err != nil {
			return err
		}
		numbers[n] = x
	}
	r.held.numbers[column] = numbers
	return rows.Err()
}

// wordCodes is candidate.codeSQL for each word of a column; that of a number in
// full is partOf.
func (r *tableReader) wordCodes(i int) []uint64 {
	c := &r.columns[i]
	first := 1
	if c.number {
		first += len(c.cuts) + 1
	}
	states := make(map[string]uint64, len(c.states))
	codes := make([]uint64, len(r.held.words[i].list))
	for k, s := range c.states {
		if s.empty {
			codes[0] = uint64(first + k)
			continue
		}
		states[s.value] = uint64(first + k)
	}
	for n, word := range r.held.words[i].list {
		switch {
		case n == 0 || word.rounded:
		case c.number && !c.many && !math.IsNaN(r.held.numbers[i][n]):
			codes[n] = c.partOf(r.held.numbers[i][n])
		default:
			codes[n] = states[word.text]
		}
	}
	return codes
}

// partOf is partSQL.
func (c *candidate) partOf(x float64) uint64 {
	at, _ := slices.BinarySearch(c.cuts, x)
	return uint64(at + 1)
}
