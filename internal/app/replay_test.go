package app_test

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
)

// began is when the recording starts.
var began = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// A recording writes OTLP JSON lines as the collector's file exporter does: one
// export request a line, about a second of traffic in each.
type recording struct {
	r *rand.Rand
	w io.Writer
	// slow makes the harm that of taking long instead of failing.
	slow bool
}

// minutes writes traffic of ten requests a second: gateway calls cart, cart
// calls pricing. Every second request meets the first cart, every second one
// the new pricing; if the flag is on at all, it is for every third. Of those
// that meet all, three of four fail.
//
// The carts say no version: which one is in force on which is known only from
// changes of two weeks ago.
func (rec *recording) minutes(t *testing.T, from time.Time, n int, flagged bool) {
	t.Helper()
	marshal := ptrace.JSONMarshaler{}
	for second := range 60 * n {
		td := ptrace.NewTraces()
		lists := map[string]ptrace.SpanSlice{}
		list := func(service, version, instance string) ptrace.SpanSlice {
			if l, ok := lists[instance]; ok {
				return l
			}
			rs := td.ResourceSpans().AppendEmpty()
			rs.Resource().Attributes().PutStr("service.name", service)
			if version != "" {
				rs.Resource().Attributes().PutStr("service.version", version)
			}
			rs.Resource().Attributes().PutStr("service.instance.id", instance)
			lists[instance] = rs.ScopeSpans().AppendEmpty().Spans()
			return lists[instance]
		}
		for i := range 10 {
			at := from.Add(time.Duration(second)*time.Second + time.Duration(i)*100*time.Millisecond)
			var trace [16]byte
			binary.BigEndian.PutUint64(trace[:8], rec.r.Uint64())
			binary.BigEndian.PutUint64(trace[8:], rec.r.Uint64())
			pricing, cart, flag := rec.r.IntN(4), rec.r.IntN(2), flagged && rec.r.IntN(3) == 0
			version := "1.4.0"
			if pricing < 2 {
				version = "2.0.0"
			}
			harm := pricing < 2 && cart == 0 && flag && rec.r.IntN(4) < 3
			failed := rec.r.IntN(300) == 0 || harm && !rec.slow
			length := 30 * time.Millisecond
			if harm && rec.slow {
				length = 400 * time.Millisecond
			}
			span := func(l ptrace.SpanSlice, id, parent byte, kind ptrace.SpanKind, name string) ptrace.Span {
				s := l.AppendEmpty()
				s.SetTraceID(trace)
				s.SetSpanID([8]byte{7: id})
				if parent > 0 {
					s.SetParentSpanID([8]byte{7: parent})
				}
				s.SetKind(kind)
				s.SetName(name)
				s.SetStartTimestamp(ptraceTime(at.Add(time.Duration(id) * time.Millisecond)))
				s.SetEndTimestamp(ptraceTime(at.Add(length - time.Duration(id)*time.Millisecond)))
				return s
			}
			root := span(list("gateway", "5.0.0", "gateway-1"), 1, 0, ptrace.SpanKindServer, "POST /checkout")
			root.Attributes().PutInt("http.response.status_code", map[bool]int64{false: 200, true: 500}[failed])
			span(list("cart", "", fmt.Sprintf("cart-%d", cart)), 2, 1, ptrace.SpanKindServer, "POST /total")
			price := span(list("pricing", version, fmt.Sprintf("pricing-%d", pricing)), 3, 2, ptrace.SpanKindServer, "GET /quote")
			price.Attributes().PutStr("feature_flag.key", "bulk-quote")
			price.Attributes().PutStr("feature_flag.result.variant", map[bool]string{false: "off", true: "on"}[flag])
		}
		line, err := marshal.MarshalTraces(td)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rec.w.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
}

// record writes a calm stretch, one in which the conditions do harm, and one
// after the flag went off; compressed as the file name says.
func record(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	var w io.WriteCloser = f
	switch filepath.Ext(path) {
	case ".gz":
		w = gzip.NewWriter(f)
	case ".zst":
		if w, err = zstd.NewWriter(f); err != nil {
			t.Fatal(err)
		}
	}
	rec := &recording{r: rand.New(rand.NewPCG(1, 2)), w: w}
	rec.minutes(t, began, 2, false)
	rec.minutes(t, began.Add(2*time.Minute), 4, true)
	rec.minutes(t, began.Add(6*time.Minute), 4, false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w != io.WriteCloser(f) {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// changes writes deploys of two weeks before and a job of the day.
func changes(t *testing.T, path string) {
	t.Helper()
	text := fmt.Sprintf(`[
  {"kind": "deploy", "time": %[1]q, "entity": "cart", "instance": "cart-0", "dimension": "service.version", "value": "1.9.0"},
  {"kind": "deploy", "time": %[1]q, "entity": "cart", "instance": "cart-1", "dimension": "service.version", "value": "2.0.0"},
  {"kind": "schedule", "time": %[2]q, "entity": "orders-db", "dimension": "backup", "value": "running"}
]`, began.AddDate(0, 0, -14).Format(time.RFC3339), began.Add(90*time.Second).Format(time.RFC3339))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func replay(t *testing.T, files ...string) app.Replayed {
	t.Helper()
	r := app.Replay{Files: files, Log: slog.New(slog.DiscardHandler), Analysis: pipeline.Config{Window: 8 * time.Minute}}
	result, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestReplayNamesTheConditionsOnTheClockOfTheRecords(t *testing.T) {
	dir := t.TempDir()
	spans, events := filepath.Join(dir, "traces.json"), filepath.Join(dir, "changes.json")
	record(t, spans)
	changes(t, events)
	got := replay(t, spans, events)
	if want := 10 * 60 * 10; got.Requests != want || got.Spans != 3*want || got.Changes != 3 {
		t.Errorf("replayed %d requests, %d spans, %d changes; want %d, %d, 3", got.Requests, got.Spans, got.Changes, want, 3*want)
	}
	if len(got.Incidents) != 1 {
		t.Fatalf("replay gave %d incidents, want 1: %v", len(got.Incidents), titles(got.Incidents))
	}
	k := got.Incidents[0]
	want := []condition.Condition{
		{Entity: "cart", Dimension: "service.version", Value: "1.9.0"},
		{Entity: "pricing", Dimension: "flag bulk-quote", Value: "on"},
		{Entity: "pricing", Dimension: "service.version", Value: "2.0.0"},
	}
	if k.Finding == nil || k.Finding.Verdict != interaction.Interact || !reflect.DeepEqual(k.Finding.Conditions, want) {
		t.Fatalf("the incident says %q, want an interaction of %v", k.Title, want)
	}
	if risk := k.Finding.Cells[0].Risk; risk < .65 || risk > .85 {
		t.Errorf("the risk with all three is %.2f, want about the true 0.75", risk)
	}
	if k.State != incident.Mitigated {
		t.Errorf("four minutes after the flag went off the incident is %s, want mitigated: the versions are still there", k.State)
	}
	if k.Began.Before(began) || k.Began.After(began.Add(130*time.Second)) {
		t.Errorf("it began at %s, want about %s", k.Began, began.Add(2*time.Minute))
	}
	if opened := k.Opened.Sub(began.Add(2 * time.Minute)); opened > time.Minute {
		t.Errorf("it was opened %s after the trouble began, want within a minute", opened)
	}
}

func TestSlowRequestsAreExplainedToo(t *testing.T) {
	dir := t.TempDir()
	path, events := filepath.Join(dir, "traces.json"), filepath.Join(dir, "changes.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	rec := &recording{r: rand.New(rand.NewPCG(3, 4)), w: f, slow: true}
	rec.minutes(t, began, 4, false)
	rec.minutes(t, began.Add(4*time.Minute), 4, true)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	changes(t, events)
	got := replay(t, path, events)
	if len(got.Incidents) != 1 {
		t.Fatalf("replay gave %d incidents, want 1: %q", len(got.Incidents), titles(got.Incidents))
	}
	k := got.Incidents[0]
	if k.Outcome != request.Slow || k.Finding == nil || len(k.Finding.Conditions) != 3 {
		t.Errorf("the incident is of %s requests and says %q, want slow ones and the three conditions", k.Outcome, k.Title)
	}
	said := []string{k.Title, k.Next()}
	for _, m := range k.Timeline {
		said = append(said, m.Text)
	}
	if k.Finding != nil {
		said = slices.Concat(said, k.Finding.For, k.Finding.Against, k.Finding.Missing)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "were slow") || strings.Contains(all, "fail") {
		t.Errorf("want it said that requests were slow, and not that they failed:\n%s", all)
	}
}

func TestADeployOfTwoWeeksAgoIsOnTheTimeline(t *testing.T) {
	dir := t.TempDir()
	spans, events := filepath.Join(dir, "traces.json"), filepath.Join(dir, "changes.json")
	record(t, spans)
	changes(t, events)
	got := replay(t, spans, events)
	if len(got.Incidents) != 1 {
		t.Fatalf("replay gave %d incidents, want 1: %v", len(got.Incidents), titles(got.Incidents))
	}
	for _, m := range got.Incidents[0].Timeline {
		if m.Change != nil && m.Change.Entity == "cart" && m.Time.Equal(began.AddDate(0, 0, -14)) {
			return
		}
	}
	t.Errorf("the timeline lacks the deploy of two weeks before: %+v", got.Incidents[0].Timeline)
}

func TestWithoutTheOldDeployAnInstanceIsNamedInstead(t *testing.T) {
	spans := filepath.Join(t.TempDir(), "traces.json")
	record(t, spans)
	got := replay(t, spans)
	if len(got.Incidents) != 1 || !strings.Contains(got.Incidents[0].Title, "cart-0") {
		t.Errorf("replay gave %v, want one incident that names cart-0, which is all that tells the carts apart", titles(got.Incidents))
	}
}

func TestReplayReadsCompressedFilesAndGivesTheSameBytesTwice(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "changes.json")
	changes(t, events)
	var first []byte
	for _, name := range []string{"traces.json", "traces.json.gz", "traces.json.zst"} {
		path := filepath.Join(dir, name)
		record(t, path)
		text, err := json.Marshal(replay(t, events, path))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = text
		}
		if string(text) != string(first) {
			t.Errorf("%s gives another result than the plain file:\n%s\n%s", name, text, first)
		}
	}
}

// stray is a line of one request at a time that is its emitter's alone.
func stray(at time.Time, id int) string {
	return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"clockless"}}]},"scopeSpans":[{"spans":[`+
		`{"traceId":"%032x","spanId":"%016x","name":"GET /","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}`+"\n", id, id, at.UnixNano(), at.UnixNano()+1e6)
}

func TestAClockThatIsWrongDoesNotMoveTheReplay(t *testing.T) {
	dir := t.TempDir()
	spans, events := filepath.Join(dir, "traces.json"), filepath.Join(dir, "changes.json")
	record(t, spans)
	changes(t, events)
	text, err := os.ReadFile(spans)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[90] += stray(began.AddDate(0, 1, 0), 1)
	lines[200] += stray(began.AddDate(-20, 0, 0), 2)
	if err := os.WriteFile(spans, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := replay(t, spans, events)
	if len(got.Incidents) != 1 || got.Incidents[0].Finding == nil || len(got.Incidents[0].Finding.Conditions) != 3 {
		t.Errorf("with two requests at wrong times replay gave %q, want one incident of three conditions", titles(got.Incidents))
	}
	if got.Requests != 6002 {
		t.Errorf("replayed %d requests, want 6002", got.Requests)
	}
}

func TestReplayGoesStraightThroughYearsWithoutRecords(t *testing.T) {
	dir := t.TempDir()
	spans, events := filepath.Join(dir, "traces.json"), filepath.Join(dir, "changes.json")
	record(t, spans)
	changes(t, events)
	early := filepath.Join(dir, "early.json")
	if err := os.WriteFile(early, []byte(stray(began.AddDate(-30, 0, 0), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	got := replay(t, early, spans, events)
	if len(got.Incidents) != 1 || got.Incidents[0].Finding == nil || len(got.Incidents[0].Finding.Conditions) != 3 {
		t.Errorf("thirty years after an early request replay gave %q, want one incident of three conditions", titles(got.Incidents))
	}
}

func TestReplaySaysWhichFileAndLineIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broken.json")
	if err := os.WriteFile(path, []byte("{\"resourceSpans\":[]}\n{\"resourceSpans\": 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := app.Replay{Files: []string{path}, Log: slog.New(slog.DiscardHandler)}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "broken.json") || !strings.Contains(err.Error(), "2") {
		t.Errorf("error is %v, want one that names the file and line 2", err)
	}
}

// titles are for messages.
func titles(list []incident.Incident) []string {
	var all []string
	for _, k := range list {
		all = append(all, k.Title)
	}
	return all
}
