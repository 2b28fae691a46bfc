package sim

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
)

// A Format is how OTLP is written.
type Format uint8

// Formats.
const (
	JSON     Format = iota // one request a line, as the Collector's file exporter writes it
	Protobuf               // as it goes to a server
)

// An encoder writes messages of OTLP in one of its formats. Fields are named by
// their number in Protocol Buffers and their name in JSON. Within a list, the
// name is not used.
type encoder interface {
	reset()
	bytes() []byte
	open(num int, name string)
	close()
	list(name string)
	endList()
	text(num int, name, s string)
	id(num int, name string, hi, lo uint64)
	fixed(num int, name string, v uint64)
	integer(num int, name string, v int64)
	enum(num int, name string, v int)
	double(num int, name string, v float64)
	boolean(num int, name string, v bool)
	// doubles and counts are packed lists.
	doubles(num int, name string, v []float64)
	counts(num int, name string, v []uint64)
	// raw repeats attributes that were written before by the same format.
	raw(b []byte)
}

func newEncoder(f Format) encoder {
	if f == Protobuf {
		return &protobufEncoder{}
	}
	return &jsonEncoder{}
}

// A protobufEncoder leaves four bytes for the length of a message and fills them
// in when it is closed. A length in more bytes than it needs is valid.
type protobufEncoder struct {
	buf   []byte
	stack []int
}

const lengthBytes = 4

func (e *protobufEncoder) reset()        { e.buf, e.stack = e.buf[:0], e.stack[:0] }
func (e *protobufEncoder) bytes() []byte { return e.buf }

func (e *protobufEncoder) tag(num, wire int) {
	e.buf = binary.AppendUvarint(e.buf, uint64(num<<3|wire))
}

func (e *protobufEncoder) open(num int, _ string) {
	if num == 0 { // the request itself
		return
	}
	e.tag(num, 2)
	e.stack = append(e.stack, len(e.buf))
	e.buf = append(e.buf, 0, 0, 0, 0)
}

func (e *protobufEncoder) close() {
	if len(e.stack) == 0 {
		return
	}
	at := e.stack[len(e.stack)-1]
	e.stack = e.stack[:len(e.stack)-1]
	n := len(e.buf) - at - lengthBytes
	for i := range lengthBytes - 1 {
		e.buf[at+i] = byte(n) | 0x80
		n >>= 7
	}
	e.buf[at+lengthBytes-1] = byte(n)
}

func (e *protobufEncoder) list(string) {}
func (e *protobufEncoder) endList()    {}

func (e *protobufEncoder) text(num int, _, s string) {
	e.tag(num, 2)
	e.buf = binary.AppendUvarint(e.buf, uint64(len(s)))
	e.buf = append(e.buf, s...)
}

func (e *protobufEncoder) id(num int, _ string, hi, lo uint64) {
	e.tag(num, 2)
	if hi == 0 {
		e.buf = append(e.buf, 8)
		e.buf = binary.BigEndian.AppendUint64(e.buf, lo)
		return
	}
	e.buf = append(e.buf, 16)
	e.buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(e.buf, hi), lo)
}

func (e *protobufEncoder) fixed(num int, _ string, v uint64) {
	e.tag(num, 1)
	e.buf = binary.LittleEndian.AppendUint64(e.buf, v)
}

func (e *protobufEncoder) integer(num int, _ string, v int64) {
	e.tag(num, 0)
	e.buf = binary.AppendUvarint(e.buf, uint64(v))
}

func (e *protobufEncoder) enum(num int, name string, v int) { e.integer(num, name, int64(v)) }

func (e *protobufEncoder) double(num int, name string, v float64) {
	e.fixed(num, name, math.Float64bits(v))
}

func (e *protobufEncoder) boolean(num int, name string, v bool) {
	if v {
		e.integer(num, name, 1)
	}
}

func (e *protobufEncoder) doubles(num int, _ string, v []float64) {
	e.tag(num, 2)
	e.buf = binary.AppendUvarint(e.buf, uint64(8*len(v)))
	for _, x := range v {
		e.buf = binary.LittleEndian.AppendUint64(e.buf, math.Float64bits(x))
	}
}

func (e *protobufEncoder) counts(num int, _ string, v []uint64) {
	e.tag(num, 2)
	e.buf = binary.AppendUvarint(e.buf, uint64(8*len(v)))
	for _, x := range v {
		e.buf = binary.LittleEndian.AppendUint64(e.buf, x)
	}
}

func (e *protobufEncoder) raw(b []byte) { e.buf = append(e.buf, b...) }

// A jsonEncoder writes OTLP's JSON: ids in hexadecimal, 64-bit numbers as text.
type jsonEncoder struct {
	buf []byte
}

func (e *jsonEncoder) reset()        { e.buf = e.buf[:0] }
func (e *jsonEncoder) bytes() []byte { return e.buf }

// comma separates a value from the one before it.
func (e *jsonEncoder) comma() {
	if n := len(e.buf); n > 0 {
		switch e.buf[n-1] {
		case '{', '[', ':':
		default:
			e.buf = append(e.buf, ',')
		}
	}
}

func (e *jsonEncoder) key(name string) {
	e.comma()
	if name != "" {
		e.buf = append(append(append(e.buf, '"'), name...), '"', ':')
	}
}

func (e *jsonEncoder) open(_ int, name string) {
	e.key(name)
	e.buf = append(e.buf, '{')
}

func (e *jsonEncoder) close() { e.buf = append(e.buf, '}') }

func (e *jsonEncoder) list(name string) {
	e.key(name)
	e.buf = append(e.buf, '[')
}

func (e *jsonEncoder) endList() { e.buf = append(e.buf, ']') }

func (e *jsonEncoder) text(_ int, name, s string) {
	e.key(name)
	e.buf = appendQuoted(e.buf, s)
}

func (e *jsonEncoder) id(_ int, name string, hi, lo uint64) {
	e.key(name)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	e.buf = append(e.buf, '"')
	if hi == 0 {
		e.buf = hex.AppendEncode(e.buf, b[8:])
	} else {
		e.buf = hex.AppendEncode(e.buf, b[:])
	}
	e.buf = append(e.buf, '"')
}

func (e *jsonEncoder) fixed(_ int, name string, v uint64) {
	e.key(name)
	e.buf = append(strconv.AppendUint(append(e.buf, '"'), v, 10), '"')
}

func (e *jsonEncoder) integer(_ int, name string, v int64) {
	e.key(name)
	e.buf = append(strconv.AppendInt(append(e.buf, '"'), v, 10), '"')
}

func (e *jsonEncoder) enum(_ int, name string, v int) {
	e.key(name)
	e.buf = strconv.AppendInt(e.buf, int64(v), 10)
}

func (e *jsonEncoder) double(_ int, name string, v float64) {
	e.key(name)
	e.buf = strconv.AppendFloat(e.buf, v, 'g', -1, 64)
}

func (e *jsonEncoder) boolean(_ int, name string, v bool) {
	e.key(name)
	e.buf = strconv.AppendBool(e.buf, v)
}

func (e *jsonEncoder) doubles(_ int, name string, v []float64) {
	e.list(name)
	for _, x := range v {
		e.double(0, "", x)
	}
	e.endList()
}

func (e *jsonEncoder) counts(_ int, name string, v []uint64) {
	e.list(name)
	for _, x := range v {
		e.fixed(0, "", x)
	}
	e.endList()
}

func (e *jsonEncoder) raw(b []byte) {
	if len(b) > 0 {
		e.comma()
		e.buf = append(e.buf, b...)
	}
}

// appendQuoted writes a text as JSON.
func appendQuoted(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default: // what is no UTF-8 has become the replacement character
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// An attribute is a key and its value: a text, or a number if Text is "".
type attribute struct {
	key, text string
	number    int64
}

// attributes writes some attributes into an open list.
func attributes(e encoder, num int, list []attribute) {
	for i := range list {
		a := &list[i]
		e.open(num, "")
		e.text(1, "key", a.key)
		e.open(2, "value")
		if a.text != "" {
			e.text(1, "stringValue", a.text)
		} else {
			e.integer(3, "intValue", a.number)
		}
		e.close()
		e.close()
	}
}
