package duckdb

import "strings"

// Words numbers the cells of a column that differ, in the order in which they come.
// Number 0 is the empty cell.
type words struct {
	list    []word
	short   []shortWord // by hash, at most half of them taken; a power of two
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
	return &words{list: make([]word, 1), short: make([]shortWord, 64), long: make(map[string]uint32), numbers: make(map[float64]uint32)}
}

// number returns the number of a cell, which is not empty.
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
	if s.number == 0 {
		*s = shortWord{*c, w.add(word{text: strings.Clone(c.text())}, 112)}
		n := s.number
		if 2*len(w.list) > len(w.short) {
			w.grow()
		}
		return n
	}
	return s.number
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
	mask := uint64(len(w.short) - 1)
	hash := (c.head ^ c.tail*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	for i := (hash ^ hash>>32) & mask; ; i = (i + 1) & mask {
		if s := &w.short[i]; s.number == 0 || s.cell == c {
			return s
		}
	}
}

func (w *words) grow() {
	old := w.short
	w.short = make([]shortWord, 2*len(old))
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
