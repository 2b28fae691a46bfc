package duckdb

// Word numbers are the numbers of the words of a column, of lines that follow each
// other, in as few bytes each as the words so far need: most columns have few.
type wordNumbers struct {
	one  []uint8
	two  []uint16
	four []uint32
}

// packNumbers copies numbers that are below the number of words. It returns how many
// bytes they take.
func packNumbers(numbers []uint32, words int) (p wordNumbers, bytes int) {
	switch {
	case words <= 1<<8:
		p.one, bytes = narrow[uint8](numbers), len(numbers)
	case words <= 1<<16:
		p.two, bytes = narrow[uint16](numbers), 2*len(numbers)
	default:
		p.four, bytes = narrow[uint32](numbers), 4*len(numbers)
	}
	return p, bytes
}

func narrow[T uint8 | uint16 | uint32](numbers []uint32) []T {
	list := make([]T, len(numbers))
	for i, n := range numbers {
		list[i] = T(n)
	}
	return list
}

// at is the number of the word of a line.
func (p *wordNumbers) at(line int) uint32 {
	switch {
	case p.one != nil:
		return uint32(p.one[line])
	case p.two != nil:
		return uint32(p.two[line])
	}
	return p.four[line]
}

// count adds the lines of a block to the counts of the words of a column.
func (p *wordNumbers) count(counts []wordCount, b *heldBlock) {
	switch {
	case p.one != nil:
		countIn(counts, p.one, b)
	case p.two != nil:
		countIn(counts, p.two, b)
	default:
		countIn(counts, p.four, b)
	}
}

func countIn[T uint8 | uint16 | uint32](counts []wordCount, numbers []T, b *heldBlock) {
	for line, n := range numbers {
		c := &counts[n]
		c.lines++
		c.total += b.total[line]
		c.failed += b.failed[line]
		if b.stands != nil {
			c.units += float64(b.total[line]-b.failed[line]) * float64(b.stands[line]-weightUnit)
		}
	}
}
