package interaction

import (
	"example.test/eddy/internal/popcount"
	"example.test/eddy/internal/reuse"
)

// between is the part of word w that lies in positions from to before to.
func between(w, from, to int) uint64 { return popcount.Below(to-w*64) &^ popcount.Below(from-w*64) }

// has reports whether a row has the bit of a position.
func has(row []uint64, at int32) bool { return row[at/64]>>(at%64)&1 == 1 }

// anyDigit is the positions of word w at which the digits are not all zero.
func anyDigit(digits [][]uint64, w int) (v uint64) {
	for _, plane := range digits {
		v |= plane[w]
	}
	return v
}

// growRows returns n rows of so many zeros in the room of rows.
func growRows(rows [][]uint64, n, words int) [][]uint64 {
	for len(rows) < n {
		rows = append(rows, nil)
	}
	rows = rows[:n]
	for i := range rows {
		rows[i] = reuse.Clear(rows[i], words)
	}
	return rows
}
