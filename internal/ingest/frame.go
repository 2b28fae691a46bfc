package ingest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A frameReader reads what the Collector's file exporter writes when it
// compresses: for each request a length (four bytes, big-endian) and that many
// bytes of zstd. It yields the requests as lines.
type frameReader struct {
	in   *bufio.Reader
	z    *zstd.Decoder
	n    int    // requests so far
	line []byte // what is left of the current one
	text []byte // the buffer behind it
	err  error  // that ended it
}

// framed reports whether in begins with such a length, and zstd behind it.
func framed(in *bufio.Reader) bool {
	head, _ := in.Peek(8) // an error comes again when it is read
	return len(head) == 8 && bytes.Equal(head[4:], zstdMagic()) && binary.BigEndian.Uint32(head) <= maxLine
}

// newFrameReader returns a reader that the caller closes.
func newFrameReader(in *bufio.Reader) (*frameReader, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxLine))
	if err != nil {
		return nil, err
	}
	return &frameReader{in: in, z: z}, nil
}

// Close releases the decoder.
func (f *frameReader) Close() { f.z.Close() }

// Read yields the requests, each with a line break behind it. Errors name the
// request by its number.
func (f *frameReader) Read(p []byte) (int, error) {
	if len(f.line) == 0 && f.err == nil {
		f.err = f.next()
	}
	if f.err != nil {
		return 0, f.err
	}
	n := copy(p, f.line)
	f.line = f.line[n:]
	return n, nil
}

// next reads one request.
func (f *frameReader) next() error {
	var head [4]byte
	if _, err := io.ReadFull(f.in, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return fmt.Errorf("request %d: cut off within its length", f.n+1)
	}
	f.n++
	size := binary.BigEndian.Uint32(head[:])
	if size > maxLine {
		return fmt.Errorf("request %d: %d bytes, want at most %d", f.n, size, maxLine)
	}
	// The length is not believed before the bytes are there.
	var frame bytes.Buffer
	frame.Grow(int(min(size, 1<<20)))
	if _, err := io.CopyN(&frame, f.in, int64(size)); err != nil {
		return fmt.Errorf("request %d: cut off after %d of %d bytes", f.n, frame.Len(), size)
	}
	text, err := f.z.DecodeAll(frame.Bytes(), f.text[:0])
	if err != nil {
		return fmt.Errorf("request %d: zstd: %w", f.n, err)
	}
	f.text = append(text, '\n')
	f.line = f.text
	return nil
}

// zstdMagic is how zstd data begins.
func zstdMagic() []byte { return []byte{0x28, 0xb5, 0x2f, 0xfd} }
