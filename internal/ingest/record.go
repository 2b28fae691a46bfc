package ingest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A recordKind says what the payload of a journal record is.
type recordKind uint8

const (
	recordTraces  recordKind = 1 // OTLP protobuf of a traces request
	recordLogs    recordKind = 2 // OTLP protobuf of a logs request
	recordMetrics recordKind = 3 // OTLP protobuf of a metrics request
	recordChanges recordKind = 4 // JSON array of changes
)

// A record is one entry of the journal:
//
//	magic "EDJ1" | length uint32 | crc32c uint32 | kind uint8, 3 zero bytes |
//	position uint64 | receive time int64 (unix ns) | payload
//
// all numbers little-endian. The checksum covers what follows it. The magic
// lets a reader find the next record behind a damaged one.
type record struct {
	kind     recordKind
	position uint64
	at       time.Time
	payload  []byte
}

const (
	recordMagic  = "EDJ1"
	recordHeader = 32
	// maxPayload is a sanity bound for readers: a length beyond it is damage.
	maxPayload = 1 << 30
)

// appendRecord appends the encoding of r to dst.
func appendRecord(dst []byte, r record) []byte {
	start := len(dst)
	dst = append(dst, recordMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.payload)))
	dst = append(dst, 0, 0, 0, 0, byte(r.kind), 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, r.position)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.at.UnixNano()))
	dst = append(dst, r.payload...)
	sum := crc32.Checksum(dst[start+12:], crc32.MakeTable(crc32.Castagnoli))
	binary.LittleEndian.PutUint32(dst[start+8:], sum)
	return dst
}

// readRecord decodes the record at the start of data. It reports how long it
// is, and false if there is no whole and sound record. The payload is a part
// of data.
func readRecord(data []byte) (r record, size int, ok bool) {
	if len(data) < recordHeader || string(data[:4]) != recordMagic {
		return record{}, 0, false
	}
	length := binary.LittleEndian.Uint32(data[4:])
	if length > maxPayload || int(length) > len(data)-recordHeader {
		return record{}, 0, false
	}
	size = recordHeader + int(length)
	if crc32.Checksum(data[12:size], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(data[8:]) {
		return record{}, 0, false
	}
	r = record{
		kind:     recordKind(data[12]),
		position: binary.LittleEndian.Uint64(data[16:]),
		at:       time.Unix(0, int64(binary.LittleEndian.Uint64(data[24:]))).UTC(),
		payload:  data[recordHeader:size],
	}
	return r, size, true
}

// A scan is what was found in a segment's bytes.
type scan struct {
	sound   int   // bytes up to the end of the last sound record
	records int   // sound records
	damaged int   // stretches of bytes between sound records that are none
	lost    int64 // bytes of those stretches
}

// scanRecords calls fn with the sound records of data, in order, until fn
// returns false. Bytes that are no record are skipped up to the next sound
// one, so damage costs only the records that it hit. What follows the last
// sound record is not counted as damage: it may be a write that was cut short.
func scanRecords(data []byte, fn func(record) bool) scan {
	var s scan
	for at := 0; at < len(data); {
		r, size, ok := readRecord(data[at:])
		if !ok {
			next := bytes.Index(data[at+1:], []byte(recordMagic))
			if next < 0 {
				return s
			}
			at += 1 + next
			continue
		}
		if at > s.sound {
			s.damaged++
			s.lost += int64(at - s.sound)
		}
		at += size
		s.sound = at
		s.records++
		if !fn(r) {
			return s
		}
	}
	return s
}
