package ingest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"example.test/eddy/internal/ingest"
)

// secrets are texts that must never reach the disk.
func secrets() []string {
	return []string{
		"anna@example.com", "4111111111111111", "378282246310005",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27u", "hunter2-password", "abcDEF0123456789abcDEF",
	}
}

// journalHolds returns the first of texts that is in a file of the directory.
func journalHolds(t *testing.T, dir string, texts []string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				return text
			}
		}
	}
	if size == 0 {
		t.Fatal("the journal is empty")
	}
	return ""
}

// spill puts the secrets into attributes of every form.
func spill(m pcommon.Map) {
	m.PutStr("db.password", "hunter2-password")
	m.PutStr("http.request.header.authorization", "Bearer abcDEF0123456789abcDEF")
	m.PutStr("note", "call anna@example.com, card 4111 1111 1111 1111 or 4111111111111111")
	m.PutStr("url.full", "https://anna:hunter2-password@shop.example.com/buy?mail=anna%40example.com")
	m.PutInt("amount", 4111111111111111)
	m.PutEmptyBytes("raw").FromRaw([]byte("to anna@example.com"))
	list := m.PutEmptySlice("list")
	list.AppendEmpty().SetStr("Authorization: Bearer abcDEF0123456789abcDEF")
	nested := list.AppendEmpty().SetEmptyMap()
	nested.PutStr("apiKey", "hunter2-password")
	nested.PutStr("jwt.value", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27u")
	// Across the cut at 4 KiB.
	m.PutStr("long", strings.Repeat("x", 4090)+" anna@example.com "+strings.Repeat("y", 5000))
}

func TestSecretsReachNeitherTheJournalNorTheBatch(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	td := traces(1, func(_ int, s ptrace.Span) {
		s.SetName("GET /users/anna@example.com")
		s.Status().SetMessage("declined: 378282246310005")
		s.TraceState().FromRaw("user=anna@example.com")
		spill(s.Attributes())
		e := s.Events().AppendEmpty()
		e.SetName("sent to anna@example.com")
		spill(e.Attributes())
		l := s.Links().AppendEmpty()
		l.SetTraceID(pcommon.TraceID{1})
		l.TraceState().FromRaw("user=anna@example.com")
		spill(l.Attributes())
	})
	spill(td.ResourceSpans().At(0).Resource().Attributes())
	scope := td.ResourceSpans().At(0).ScopeSpans().At(0)
	spill(scope.Scope().Attributes())
	scope.Scope().SetName("anna@example.com")
	scope.SetSchemaUrl("https://anna:hunter2-password@example.com/")

	ld := plog.NewLogs()
	for i := range 3 {
		r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		r.SetSeverityText("anna@example.com")
		spill(r.Attributes())
		switch i {
		case 0:
			r.Body().SetStr("login of anna@example.com with hunter2-password@example.com")
		case 1:
			spill(r.Body().SetEmptyMap())
		case 2:
			r.SetEventName("eddy.change")
			for k, v := range map[string]string{"kind": "config", "dimension": "config smtp.password", "value": "hunter2-password", "actor": "anna@example.com"} {
				r.Attributes().PutStr("eddy.change."+k, v)
			}
		}
	}
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("logins")
	m.SetDescription("ask anna@example.com")
	m.Metadata().PutStr("owner", "anna@example.com")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetIntValue(1)
	spill(p.Attributes())
	spill(p.Exemplars().AppendEmpty().FilteredAttributes())

	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	if err != nil {
		t.Fatal(err)
	}
	change := `{"time":"2026-03-01T14:03:00Z","kind":"config","dimension":"config db.password","value":"hunter2-password","previous":"hunter2-password",` +
		`"actor":"anna@example.com","summary":"card 4111111111111111","url":"https://anna:hunter2-password@ci.example.com/"}`
	for path, body := range map[string][]byte{"/v1/traces": encodeTraces(t, td), "/v1/logs": logs, "/v1/metrics": metrics, "/api/v1/changes": []byte(change)} {
		contentType := protobufType
		if strings.HasPrefix(path, "/api") {
			contentType = jsonType
		}
		if code, _, text := post(t, "http://"+f.HTTPAddr()+path, map[string]string{"Content-Type": contentType}, body); code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", path, code, text)
		}
	}
	for range 4 {
		got := f.receive(t)
		var text strings.Builder
		for _, s := range got.Spans {
			fmt.Fprintf(&text, "%+v %+v", *s, *s.Resource)
		}
		for _, l := range got.Logs {
			fmt.Fprintf(&text, "%+v", *l)
		}
		for _, p := range got.Points {
			fmt.Fprintf(&text, "%+v", *p)
		}
		for _, c := range got.Changes {
			fmt.Fprintf(&text, "%+v", *c)
		}
		for _, secret := range secrets() {
			if i := strings.Index(text.String(), secret); i >= 0 {
				t.Errorf("batch %d holds %q: ...%s", got.Position, secret, text.String()[max(0, i-80):i+len(secret)])
			}
		}
	}
	if secret := journalHolds(t, f.dir, secrets()); secret != "" {
		t.Errorf("the journal holds %q", secret)
	}
	for _, rule := range []string{"key", "email", "bearer", "url", "card"} {
		if f.metric(t, "redacted_values_total", rule) == 0 {
			t.Errorf("rule %s counted nothing", rule)
		}
	}
}

// redact sends a value under a key and returns what arrives.
func redact(t *testing.T, f *fixture, key, value string) string {
	t.Helper()
	td := traces(1, func(_ int, s ptrace.Span) { s.Attributes().PutStr(key, value) })
	if code, _, body := f.postTraces(t, td); code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	got, _ := f.receive(t).Spans[0].Attributes.Get(key)
	return got
}

func TestOnlySecretsAreRedacted(t *testing.T) {
	f := serve(t, ingest.Config{Redact: ingest.RedactConfig{
		Keys: []string{"license key"}, Values: []string{`cust-\d{4}`}, Keep: []string{"csrf.token"},
	}}, ingest.Options{})
	const gone = ingest.Redacted
	tests := []struct{ key, in, want string }{
		{"http.request.header.cookie", "a=b", gone},
		{"set-cookie", "a=b", gone},
		{"userPassword", "x", gone},
		{"APIKey", "x", gone},
		{"x-api-key", "x", gone},
		{"user.license_key", "x", gone},
		{"csrf.token", "x", "x"},
		{"eddy.fence.token", "302", "302"}, // a number, and no secret
		{"gen_ai.token.type", "input", "input"},
		{"gen_ai.usage.input_tokens", "17", "17"},
		{"jwt.key.version", "3", "3"},
		{"keyboard", "x", "x"},
		{"note", "cust-1234 came", gone + " came"},
		{"note", "mail a.b+c@x.example.org now", "mail " + gone + " now"},
		{"note", "mail müller@bücher.example", "mail " + gone},
		{"note", "a%40example.com", gone},
		{"note", "@mention and 5@6", "@mention and 5@6"},
		{"artifact", "pkg:oci/cart@2.4.0", "pkg:oci/cart@2.4.0"},
		{"artifact", "cart@sha256:aaaa", "cart@sha256:aaaa"},
		{"note", "bearer abcDEF0123456789", "Bearer " + gone},
		{"note", "the bearer of bad news", "the bearer of bad news"},
		{"url.full", "https://a.example.com:8080/x?y=1", "https://a.example.com:8080/x?y=1"},
		{"url.full", "amqp://u:p@mq.example.com/", "amqp://" + gone + "@mq.example.com/"},
		{"note", "4111-1111-1111-1111", gone},
		{"note", "card 4111111111111111.", "card " + gone + "."},
		{"note", "4111111111111112", "4111111111111112"},       // wrong check digit
		{"note", "1111111111111117", "1111111111111117"},       // no issuer
		{"note", "1772373780000000000", "1772373780000000000"}, // a time in nanoseconds
		{"note", "0.4111111111111111", "0.4111111111111111"},
		{"note", "id4111111111111111", "id4111111111111111"},
		{"note", "41111111111111110000000", "41111111111111110000000"},
		{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	for _, tt := range tests {
		if got := redact(t, f, tt.key, tt.in); got != tt.want {
			t.Errorf("%s = %q became %q, want %q", tt.key, tt.in, got, tt.want)
		}
		// The second time, the value may come from memory.
		if got := redact(t, f, tt.key, tt.in); got != tt.want {
			t.Errorf("%s = %q became %q the second time, want %q", tt.key, tt.in, got, tt.want)
		}
	}
}

func TestConfigurationsThatCannotBeMeantAreRefused(t *testing.T) {
	for want, cfg := range map[string]ingest.Config{
		"bounds.queue_bytes: -1":     {Bounds: ingest.Bounds{QueueBytes: -1}},
		"bounds.value_bytes: 8":      {Bounds: ingest.Bounds{ValueBytes: 8}},
		"journal.max_bytes: 1":       {Journal: ingest.JournalConfig{MaxBytes: 1}},
		"tls: want both":             {TLS: ingest.TLSConfig{CertFile: "x"}},
		"tls.client_ca_file: needs":  {TLS: ingest.TLSConfig{ClientCAFile: "x"}},
		"tls: stat /no/such/file":    {TLS: ingest.TLSConfig{CertFile: "/no/such/file", KeyFile: "x"}},
		"redact.keys[0]: \"--\"":     {Redact: ingest.RedactConfig{Keys: []string{"--"}}},
		"redact.values[0]: error":    {Redact: ingest.RedactConfig{Values: []string{"("}}},
		"redact.values[0]: \"x*\"":   {Redact: ingest.RedactConfig{Values: []string{"x*"}}},
		"bounds.future: -1":          {Bounds: ingest.Bounds{Future: -1}},
		"journal.segment_bytes: -64": {Journal: ingest.JournalConfig{SegmentBytes: -64, MaxBytes: 1}},
	} {
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Validate = %v, want %s", err, want)
		}
	}
	if err := (ingest.Config{}).Validate(); err != nil {
		t.Errorf("Validate of the zero Config = %v, want nil", err)
	}
}
