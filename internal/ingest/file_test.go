package ingest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/ingest"
)

func newReader(t testing.TB) *ingest.Reader {
	t.Helper()
	r, err := ingest.NewReader(ingest.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mixedLines is a file of the file exporter's with the three signals.
func mixedLines(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	line := func(data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(data, '\n'))
	}
	td := traces(2, func(_ int, s ptrace.Span) {
		s.SetStartTimestamp(ts(t0))
		s.SetEndTimestamp(ts(t1))
		s.Attributes().PutStr("mail", "anna@example.com")
	})
	line((&ptrace.JSONMarshaler{}).MarshalTraces(td))
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(ts(t0))
	r.Body().SetStr("hello")
	line((&plog.JSONMarshaler{}).MarshalLogs(ld))
	out.WriteString("\n") // an empty line says nothing
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("m")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetIntValue(1)
	p.SetTimestamp(ts(t1))
	line((&pmetric.JSONMarshaler{}).MarshalMetrics(md))
	return out.Bytes()
}

// summary describes what was read.
func summary(t testing.TB, r *ingest.Reader, paths ...string) (string, error) {
	t.Helper()
	var out []string
	for got, err := range r.Files(paths...) {
		if err != nil {
			return strings.Join(out, " "), err
		}
		if got.At != got.Last || got.First.IsZero() || got.Position != 0 {
			t.Errorf("batch at %v from %v to %v with position %d", got.At, got.First, got.Last, got.Position)
		}
		for _, s := range got.Spans {
			if v, _ := s.Attributes.Get("mail"); v != ingest.Redacted {
				t.Errorf("mail = %q, want it redacted", v)
			}
		}
		out = append(out, fmt.Sprintf("%ds%dl%dp%dc", len(got.Spans), len(got.Logs), len(got.Points), len(got.Changes)))
	}
	return strings.Join(out, " "), nil
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// frames compresses each line by itself behind its length, as the Collector's
// file exporter does.
func frames(t testing.TB, lines []byte) []byte {
	t.Helper()
	var out []byte
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		frame := zstded(t, line)
		out = binary.BigEndian.AppendUint32(out, uint32(len(frame)))
		out = append(out, frame...)
	}
	return out
}

func TestFilesAreReadInAnyForm(t *testing.T) {
	const change = `{"id":"a","time":"2026-03-01T14:03:00Z","kind":"deploy","dimension":"service.version","value":"1"}`
	const event = `{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.service.removed.0.3.0","time":"2026-03-01T14:00:00Z","data":{"subject":{"id":"cart"}}}`
	lines := mixedLines(t)
	const want = "2s0l0p0c 0s1l0p0c 0s0l1p0c"
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"plain.jsonl", lines, want},
		{"no_final_newline.jsonl", bytes.TrimSpace(lines), want},
		{"spans.jsonl.gz", gzipped(t, lines), want},
		{"spans.jsonl.zst", zstded(t, lines), want},
		{"request_by_request.zst", frames(t, lines), want},
		{"two_members.gz", append(gzipped(t, lines), gzipped(t, lines)...), want + " " + want},
		{"changes.jsonl", []byte(change + "\n" + event + "\n"), "0s0l0p1c 0s0l0p1c"},
		{"changes.json", []byte(" [\n" + change + ",\n" + event + "\n]\n"), "0s0l0p2c"},
		{"mixed.jsonl", append([]byte(change+"\r\n"), lines...), "0s0l0p1c " + want},
		{"empty.jsonl", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := summary(t, newReader(t), write(t, tt.name, tt.data))
			if err != nil || got != tt.want {
				t.Errorf("read %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	got, err := summary(t, newReader(t), write(t, "1", lines), write(t, "2", lines))
	if err != nil || got != want+" "+want {
		t.Errorf("two files: read %q, %v", got, err)
	}
}

func TestErrorsInFilesNameTheFileAndTheLine(t *testing.T) {
	lines := mixedLines(t)
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"bad.jsonl", append(bytes.Clone(lines), "{\"resourceSpans\": 3}\n"...), "bad.jsonl: line 5: "},
		{"text.log", []byte("\nhello\n"), "text.log: line 2: item 0: no valid JSON object"},
		{"field.jsonl", []byte(`{"kind":"deploy","when":"now"}`), `field.jsonl: line 1: item 0: field "when": unknown`},
		{"type.json", []byte(`[{"specversion":"1.0","id":"1","source":"/s","type":"x.y","time":"2026-03-01T14:00:00Z"}]`), `type.json: line 1: item 0: event type "x.y"`},
		{"nested.jsonl", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":` + strings.Repeat(`{"arrayValue":{"values":[`, 400_000)), "nested.jsonl: line 1: JSON nested deeper"},
		{"cut.gz", gzipped(t, lines)[:100], "cut.gz: line 1: read: unexpected EOF"},
		{"cut.zst", zstded(t, lines)[:100], "cut.zst: line 1: read: "},
		{"cut_request.zst", frames(t, lines)[:100], "cut_request.zst: line 1: read: request 1: cut off after 96 of "},
		{"cut_length.zst", append(frames(t, lines), 0, 0), "read: request 4: cut off within its length"},
		{"long_request.zst", append(frames(t, lines), 0xff, 0, 0, 0), "read: request 4: 4278190080 bytes, want at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := summary(t, newReader(t), write(t, tt.name, tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := summary(t, newReader(t), "/no/such/file"); err == nil {
		t.Error("a missing file was read")
	}
}

func TestLinesAreBounded(t *testing.T) {
	// Frames that follow each other are one stream: 65 MiB in one line.
	frame := zstded(t, bytes.Repeat([]byte("x"), 1<<20))
	_, err := summary(t, newReader(t), write(t, "bomb.zst", bytes.Repeat(frame, 65)))
	if err == nil || !strings.Contains(err.Error(), "line 1: longer than 67108864 bytes") {
		t.Errorf("error %v, want the line's bound", err)
	}
}

func TestProgressReachesTheWholeFile(t *testing.T) {
	r := newReader(t)
	path := write(t, "x.gz", gzipped(t, mixedLines(t)))
	var last, total int64
	r.Progress = func(p string, n, of int64) {
		if p != path || n < last {
			t.Errorf("progress %s %d after %d", p, n, last)
		}
		last, total = n, of
	}
	if _, err := summary(t, r, path); err != nil {
		t.Fatal(err)
	}
	if last == 0 || last != total {
		t.Errorf("progress ended at %d of %d", last, total)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(mixedLines(f))
	f.Add([]byte(`[{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.service.removed.0.3.0","time":"2026-03-01T14:00:00Z","data":{"subject":{"id":"cart"}}}]`))
	f.Add(gzipped(f, mixedLines(f)))
	f.Add([]byte(`{"specversion":"1.0","type":"dev.cdeventsx.eddy-config.changed.1","id":"1","source":"s","data_base64":"eyJ4IjoxfQ=="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(t)
		for got, err := range r.Read(bytes.NewReader(data)) {
			if err != nil {
				return
			}
			for _, s := range got.Spans {
				if s.Trace.IsZero() || s.ID.IsZero() || s.Resource == nil {
					t.Errorf("span %+v is not valid", s)
				}
			}
			if got.Len() == 0 || got.First.After(got.Last) {
				t.Errorf("batch of %d from %v to %v", got.Len(), got.First, got.Last)
			}
		}
	})
}
