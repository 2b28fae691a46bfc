package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/telemetry"
)

// maxLine bounds a line of a file.
const maxLine = 64 << 20

// A Reader reads stored telemetry and changes from files, with the same bounds
// and redaction as a Server. It accepts, told apart by their content:
//
//   - OTLP JSON, one request a line, as the Collector's file exporter writes
//     it: traces, logs and metrics, also mixed in one file;
//   - changes in Eddy's own form or as CloudEvents, one a line, or one JSON
//     array that is the whole file;
//   - either of them compressed with gzip or zstd, as a whole, or request by
//     request as the file exporter does with its option compression.
//
// A Reader may read any number of files, one at a time.
type Reader struct {
	// Progress, if set, is called now and then with how many bytes of the file
	// were read and how many it has, compressed as it is. The total is 0 for
	// what is no regular file.
	Progress func(path string, read, total int64)

	border *border
}

// NewReader returns a reader with the bounds and rules of cfg. The registerer
// may be nil.
func NewReader(cfg Config, registerer prometheus.Registerer) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ingest configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	m, err := newMetrics(registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return &Reader{border: newBorder(cfg.Bounds, newRedactor(cfg.Redact), m)}, nil
}

// Files yields what is in the files, one file after the other, in the order in
// which it is written there. At is the last time in a batch, and the batches of
// a file need not be in the order of time. The first error ends it; it names the
// file and the line.
func (r *Reader) Files(paths ...string) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		for _, path := range paths {
			for got, err := range r.File(path) {
				if !yield(got, err) || err != nil {
					return
				}
			}
		}
	}
}

// File yields what is in one file, as Files does.
func (r *Reader) File(path string) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Received{}, fmt.Errorf("open telemetry file: %w", err))
			return
		}
		defer f.Close() // it was only read
		var total int64
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total = info.Size()
		}
		progress := func(n int64) {
			if r.Progress != nil {
				r.Progress(path, n, total)
			}
		}
		for got, err := range r.Read(&counted{r: f, progress: progress}) {
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if !yield(got, err) || err != nil {
				return
			}
		}
	}
}

// counted reports how much was read.
type counted struct {
	r        io.Reader
	n        int64
	progress func(int64)
}

// Read reads and reports.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.progress(c.n)
	return n, err
}

// Read yields what is in a stream, as File does. Errors name the line.
func (r *Reader) Read(in io.Reader) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		plain, closer, err := decompress(bufio.NewReaderSize(in, 1<<20))
		if err != nil {
			yield(Received{}, err)
			return
		}
		defer closer()
		lines := lineReader{r: bufio.NewReaderSize(plain, 1<<20)}
		lines.whole = isArray(lines.r)
		for {
			line, n, err := lines.next()
			if errors.Is(err, io.EOF) {
				return
			}
			var got Received
			if err == nil {
				got, err = r.line(line)
			}
			if err != nil {
				yield(Received{}, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if got.Len() > 0 && !yield(got, nil) {
				return
			}
		}
	}
}

// decompress looks at the first bytes of in.
func decompress(in *bufio.Reader) (io.Reader, func(), error) {
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read: %w", err)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	case bytes.Equal(magic, zstdMagic()):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxLine))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	case framed(in):
		f, err := newFrameReader(in)
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return f, f.Close, nil
	}
	return in, func() {}, nil
}

// isArray reports whether the first byte of in that is no white space begins a
// JSON array. It consumes nothing, so that lines keep their numbers.
func isArray(in *bufio.Reader) bool {
	head, _ := in.Peek(4 << 10) // an error comes again when it is read
	head = bytes.TrimLeft(head, " \t\r\n")
	return len(head) > 0 && head[0] == '['
}

// A lineReader splits a stream into lines that are not empty.
type lineReader struct {
	r     *bufio.Reader
	n     int
	buf   []byte
	whole bool // the rest of the stream is one item
}

// next returns the next line and its number. The line is valid until the next
// call.
func (l *lineReader) next() ([]byte, int, error) {
	for {
		l.n++
		l.buf = l.buf[:0]
		for {
			part, err := l.r.ReadSlice('\n')
			if len(l.buf)+len(part) > maxLine {
				return nil, l.n, fmt.Errorf("longer than %d bytes", maxLine)
			}
			l.buf = append(l.buf, part...)
			if err == nil && l.whole || errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, l.n, fmt.Errorf("read: %w", err)
			}
			if line := bytes.TrimSpace(l.buf); len(line) > 0 {
				return line, l.n, nil
			}
			if err != nil {
				return nil, l.n, io.EOF
			}
			break
		}
	}
}

// line reads one line.
func (r *Reader) line(line []byte) (Received, error) {
	if len(line) > shallowBytes {
		if err := checkJSONNesting(line); err != nil {
			return Received{}, err
		}
	}
	w := r.border.begin(time.Now().UTC())
	defer w.end()
	var batch telemetry.Batch
	var err error
	sig := signalChanges
	switch firstKey(line) {
	case "resourceSpans":
		var td ptrace.Traces
		sig = signalSpans
		if td, err = (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(line); err == nil {
			batch.Spans = w.traces(td)
		}
	case "resourceLogs":
		var ld plog.Logs
		sig = signalLogs
		if ld, err = (&plog.JSONUnmarshaler{}).UnmarshalLogs(line); err == nil {
			batch.Logs, batch.Changes = w.logs(ld)
		}
	case "resourceMetrics":
		var md pmetric.Metrics
		sig = signalPoints
		if md, err = (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line); err == nil {
			batch.Points = w.points(md)
		}
	default:
		batch.Changes, err = r.changes(w, line)
	}
	if err != nil {
		return Received{}, err
	}
	w.count(sig)
	r.border.m.accepted.WithLabelValues(string(sig)).Add(float64(batch.Len()))
	got := w.received(batch)
	got.At = got.Last
	return got, nil
}

// changes reads changes in either form.
func (r *Reader) changes(w *walk, line []byte) ([]*telemetry.Change, error) {
	items, err := jsonItems(line)
	if err != nil {
		return nil, fmt.Errorf("neither OTLP JSON nor a change: %w", err)
	}
	var out []*telemetry.Change
	for i, item := range items {
		var got []*telemetry.Change
		if isEvent(item) {
			got, err = parseEvents(item)
		} else {
			got, err = ParseChanges(item, time.Time{})
		}
		if err == nil && len(got) == 1 {
			err = w.checkChange(got[0])
		}
		if err != nil {
			return nil, atEvent(i, err)
		}
		out = append(out, got...)
	}
	return out, nil
}

// isEvent reports whether a JSON object is a CloudEvent.
func isEvent(item []byte) bool {
	var head struct {
		SpecVersion *json.RawMessage `json:"specversion"`
	}
	return json.Unmarshal(item, &head) == nil && head.SpecVersion != nil
}

// firstKey returns the first key of a JSON object, or "".
func firstKey(line []byte) string {
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	if !ok {
		return ""
	}
	rest, ok = bytes.CutPrefix(bytes.TrimSpace(rest), []byte(`"`))
	if !ok {
		return ""
	}
	key, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return ""
	}
	return string(key)
}
