package duckdb

import (
	"slices"
	"strings"
)

// Words numbers the cells of a column that differ, in the order in which they come.
// Number 0 is the empty cell.
type words struct {
	list    []word
	short   []shortWord // by hash, at most half of them taken
	shift   int         // 64 less the power of two of its length
	long    map[string]uint32
	numbers map[float64]uint32
	bytes   int // taken by what is new, about
}

// A word is a cell that occurs: a text or, in a column of very many numbers, one
// that others are rounded to.
type word struct {
	text    string
	number  float64
	rounded bool
}

// A shortWord is a text that fits a cell. The empty one is no word.
type shortWord struct {
	cell
	number uint32
}

func newWords() *words {
	return &words{list: make([]word, 1), short: make([]shortWord, 64), shift: 58, long: make(map[string]uint32), numbers: make(map[float64]uint32)}
}

// read returns the numbers of cells, in room if that suffices.
func (w *words) read(room []uint32, list []cell, there known) []uint32 {
	numbers := slices.Grow(room[:0], len(list))[:len(list)]
	clear(numbers)
	for line := range list {
		if c := &list[line]; there.at(line) && c.len() > 0 {
			numbers[line] = w.number(c)
		}
	}
	return numbers
}

// number returns the number of a cell that is not empty.
func (w *words) number(c *cell) uint32 {
	if c.len() > shortCell {
		n, ok := w.long[c.text()]
		if !ok {
			text := strings.Clone(c.text())
			n = w.add(word{text: text}, 2*len(text)+64)
			w.long[text] = n
		}
		return n
	}
	s := w.place(*c)
	if s.number > 0 {
		return s.number
	}
	n := w.add(word{text: strings.Clone(c.text())}, 112)
	*s = shortWord{*c, n}
	if 2*len(w.list) > len(w.short) {
		w.grow()
	}
	return n
}

// rounded returns the number of a number.
func (w *words) rounded(x float64) uint32 {
	n, ok := w.numbers[x]
	if !ok {
		n = w.add(word{number: x, rounded: true}, 64)
		w.numbers[x] = n
	}
	return n
}

func (w *words) add(x word, bytes int) uint32 {
	w.list = append(w.list, x)
	w.bytes += bytes
	return uint32(len(w.list) - 1)
}

// place is where a short text is or belongs. A table of our own takes a third of
// the time of a map, and this is where most of the time goes.
func (w *words) place(c cell) *shortWord {
	// Products mix into the upper bits.
	hash := c.head*0x9e3779b97f4a7c15 + c.tail*0xd6e8feb86659fd93
	for i := hash >> w.shift; ; i++ {
		if s := &w.short[i&uint64(len(w.short)-1)]; s.number == 0 || s.cell == c {
			return s
		}
	}
}

func (w *words) grow() {
	old := w.short
	w.short, w.shift = make([]shortWord, 2*len(old)), w.shift-1
	for _, s := range old {
		if s.number > 0 {
			*w.place(s.cell) = s
		}
	}
}

// grown returns how many bytes more are taken than when it was last asked.
func (w *words) grown() int {
	n := w.bytes
	w.bytes = 0
	return n
}
