package duckdb

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// mostHeld is how many bytes of memory lines are held in, about: more than four
// million of twenty columns. Those of a larger table are copied.
const mostHeld = 256 << 20

// heldLineBytes is what a line takes besides its cells and the words that differ, and
// heldCellBytes what a cell takes, of columns that have up to 65,536 words.
const heldLineBytes, heldCellBytes = 24, 2

// heldLine is heldLineBytes, with its weight if lines have any.
func (r *tableReader) heldLine() int {
	if r.src.Weight != "" {
		return heldLineBytes + 8
	}
	return heldLineBytes
}

var errNotHeld = errors.New("too large to be held in memory")

// Held lines are those of a table of text, in memory, in the order of the files:
// each cell as the number of its word. To write down the words that differ takes
// a fraction of what it takes DuckDB to store all of them; and whatever is asked
// of the lines later is then a look at a number.
type heldLines struct {
	words   []*words    // by column; nil for what is left out
	numbers [][]float64 // by column, of those of numbers: what each word is; NaN for no number
	blocks  []heldBlock
	bytes   int
	room    []uint32 // for the numbers of a chunk

	lines       int64
	bad         int64 // lines that say what cannot be
	first, last int64 // as tableTotal has them
	timed       bool  // a line has a time
}

// A heldBlock is lines that follow each other.
type heldBlock struct {
	first int64         // number of the first
	words []wordNumbers // by column
	// numbers are in full, by column of those of very many, whose words are
	// rounded; NaN for no number.
	numbers               [][]float64
	total, failed, moment []int64
	stands                []int64 // see standsSQL; nil if no column says so
}

// stand is what a success of the line stands for, in units; 0 if no column says so.
func (b *heldBlock) stand(line int) int64 {
	if b.stands == nil {
		return 0
	}
	return b.stands[line]
}

// hold reads the lines of the files into memory, or returns errNotHeld.
func (r *tableReader) hold(ctx context.Context) error {
	h := &heldLines{words: make([]*words, len(r.columns)), numbers: make([][]float64, len(r.columns))}
	var selected []string
	for _, i := range r.offered() {
		c := &r.columns[i]
		h.words[i] = newWords()
		text, number := c.keysSQL(i)
		selected = append(selected, "CAST("+text+" AS VARCHAR)")
		if c.many {
			selected = append(selected, number, c.numberSQL(i))
		}
	}
	// The types are those that holdChunk takes them for.
	selected = append(selected, "CAST(moment AS BIGINT)", "CAST(total AS BIGINT)", "CAST(failed AS BIGINT)", "bad")
	if r.src.Weight != "" {
		selected = append(selected, "CAST(stands AS BIGINT)")
	}
	query := "SELECT " + strings.Join(selected, ", ") + " FROM (" + r.recordsSQL(r.offered(), false) + ")"
	// A thread of DuckDB parses textBuffer of the file at a time, which becomes some four
	// times as much of cells. Those that are not next in the order of the file wait in two
	// fifths of this; in less, the thread would wait too.
	settings := append(tableSettings(filepath.Join(r.dir, "hold"), r.src.Memory), "SET streaming_buffer_size='128MB'")
	err := chunks(ctx, settings, query, func(c chunk) error {
		r.holdChunk(h, c)
		for _, w := range h.words {
			if w != nil {
				h.bytes += w.grown()
			}
		}
		if h.bytes > r.mostHeld {
			return errNotHeld
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.held = h
	return nil
}

// holdChunk adds the lines of a chunk, whose columns are as hold selects them.
func (r *tableReader) holdChunk(h *heldLines, c chunk) {
	b := heldBlock{first: h.lines, words: make([]wordNumbers, len(r.columns)), numbers: make([][]float64, len(r.columns))}
	column := 0
	for _, i := range r.offered() {
		list, there := cells[cell](c, column)
		h.room = h.words[i].read(h.room, list, there)
		column++
		if r.columns[i].many {
			h.words[i].readRounded(h.room, c, column)
			b.numbers[i] = readNumbers(c, column+1)
			column += 2
			h.bytes += 8 * c.rows
		}
		var bytes int
		b.words[i], bytes = packNumbers(h.room, len(h.words[i].list))
		h.bytes += bytes
	}
	moment, there := cells[int64](c, column)
	b.moment = make([]int64, c.rows)
	for line, at := range moment {
		if !there.at(line) {
			continue
		}
		b.moment[line] = at
		if !h.timed {
			h.first, h.last, h.timed = at, at, true
		}
		h.first, h.last = min(h.first, at), max(h.last, at)
	}
	total, _ := cells[int64](c, column+1)
	failed, _ := cells[int64](c, column+2)
	bad, _ := cells[bool](c, column+3)
	b.total, b.failed = append(b.total, total...), append(b.failed, failed...)
	for _, is := range bad {
		if is {
			h.bad++
		}
	}
	if r.src.Weight != "" {
		stands, _ := cells[int64](c, column+4)
		b.stands = slices.Clone(stands)
	}
	h.bytes += r.heldLine() * c.rows
	h.lines += int64(c.rows)
	h.blocks = append(h.blocks, b)
}

// readRounded adds the numbers of a column that has very many.
func (w *words) readRounded(numbers []uint32, c chunk, column int) {
	list, there := cells[float64](c, column)
	for line, x := range list {
		if there.at(line) {
			numbers[line] = w.rounded(x)
		}
	}
}

// readNumbers returns a column of numbers.
func readNumbers(c chunk, column int) []float64 {
	list, there := cells[float64](c, column)
	numbers := make([]float64, len(list))
	for line, x := range list {
		if !there.at(line) || math.IsInf(x, 0) {
			x = math.NaN()
		}
		numbers[line] = x
	}
	return numbers
}

// inParts calls f with as many parts of the lines as there are processors, at the
// same time, and returns what it made of each, in order.
func inParts[T any](h *heldLines, f func([]heldBlock) T) []T {
	parts := slices.Collect(slices.Chunk(h.blocks, len(h.blocks)/runtime.GOMAXPROCS(0)+1))
	made := make([]T, len(parts))
	var wait sync.WaitGroup
	for i, blocks := range parts {
		wait.Go(func() { made[i] = f(blocks) })
	}
	wait.Wait()
	return made
}
