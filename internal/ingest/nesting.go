package ingest

import (
	"encoding/binary"
	"fmt"
)

const (
	// maxNesting bounds how deep the messages of a request may be nested. OTLP
	// has about ten levels, and a value three more for each list or map in it.
	// Text that looks like messages by chance is nested less deep than this:
	// each level takes at least two bytes from a length below 128.
	maxNesting = 128
	// shallowBytes is the size up to which a message is not looked at: however
	// it is nested, its stack stays below some ten megabytes.
	shallowBytes = 256 << 10
)

// checkNesting refuses a protobuf message that is nested too deep. It reads
// every field with a length as if it were a message, and leaves it when it
// turns out to be none, so it needs no schema and looks at each byte at most
// once.
func checkNesting(data []byte) error {
	var ends [maxNesting]int
	depth := 0
	ends[0] = len(data)
	for at := 0; ; {
		for depth >= 0 && at >= ends[depth] {
			depth--
		}
		if depth < 0 {
			return nil
		}
		next, length, ok := field(data[at:ends[depth]])
		switch {
		case !ok:
			at = ends[depth] // no message: skip what is left of it
		case length == 0:
			at += next
		case depth+1 == maxNesting:
			return fmt.Errorf("protobuf nested deeper than %d levels", maxNesting)
		default:
			at += next
			depth++
			ends[depth] = at + length
		}
	}
}

// field reads a field's header. It returns how many bytes to go on, and for a
// field with a length that length, which then follows. It reports false if data
// does not begin with a field.
func field(data []byte) (next, length int, ok bool) {
	tag, n := binary.Uvarint(data)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return 0, 0, false
	}
	switch tag & 7 {
	case 0: // varint
		_, m := binary.Uvarint(data[n:])
		return n + m, 0, m > 0
	case 1: // 64 bits
		return n + 8, 0, len(data) >= n+8
	case 5: // 32 bits
		return n + 4, 0, len(data) >= n+4
	case 2: // length
		size, m := binary.Uvarint(data[n:])
		if m <= 0 || size > uint64(len(data)-n-m) {
			return 0, 0, false
		}
		return n + m, int(size), true
	}
	return 0, 0, false
}

// checkJSONNesting refuses JSON that is nested too deep.
func checkJSONNesting(data []byte) error {
	depth := 0
	text, escaped := false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case c == '{' || c == '[':
			// A message takes an object, and often an array around it.
			if depth++; depth > 2*maxNesting {
				return fmt.Errorf("JSON nested deeper than %d levels", 2*maxNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
