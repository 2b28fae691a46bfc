package ingest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/telemetry"
)

// A docExample is a command in docs/changes.md and the change that it says
// results.
type docExample struct {
	line    int
	command string
	result  string
}

// docExamples reads the fenced blocks: each "sh" is followed by a "json".
func docExamples(t *testing.T) []docExample {
	t.Helper()
	data, err := os.ReadFile("../../docs/changes.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []docExample
	kind := ""
	var block strings.Builder
	for n, line := range strings.Split(string(data), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case !fence && kind != "":
			block.WriteString(line + "\n")
		case fence && kind == "":
			kind = lang
			block.Reset()
			if kind == "sh" {
				out = append(out, docExample{line: n + 1})
			}
		case fence && kind == "sh":
			out[len(out)-1].command = block.String()
			kind = ""
		case fence:
			out[len(out)-1].result = block.String()
			kind = ""
		}
	}
	return out
}

// shellWords splits a command as a shell does, as far as the examples need it:
// white space, single quotes, and a backslash before the end of a line.
func shellWords(command string) []string {
	var words []string
	var word strings.Builder
	inWord := false
	rest := strings.ReplaceAll(command, "\\\n", " ")
	for rest != "" {
		c := rest[0]
		rest = rest[1:]
		switch {
		case c == '\'':
			quoted, after, _ := strings.Cut(rest, "'")
			word.WriteString(quoted)
			rest, inWord = after, true
		case c == ' ' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	return words
}

// run does what the curl command says, on the server f.
func (f *fixture) run(t *testing.T, command string) (int, string) {
	t.Helper()
	words := shellWords(command)
	if words[0] != "curl" || words[1] != "-sS" {
		t.Fatalf("command %q: want curl -sS", words[:2])
	}
	u, err := url.Parse(words[2])
	if err != nil {
		t.Fatal(err)
	}
	// Without a content type, curl -d says that it sends a form.
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	var body string
	for i := 3; i+1 < len(words); i += 2 {
		switch words[i] {
		case "-H":
			k, v, _ := strings.Cut(words[i+1], ": ")
			header[k] = v
		case "-d":
			body = strings.ReplaceAll(words[i+1], "\n", "") // as curl does
		default:
			t.Fatalf("option %q: the test knows -H and -d", words[i])
		}
	}
	code, _, text := post(t, "http://"+f.HTTPAddr()+u.Path, header, []byte(body))
	return code, text
}

func TestTheExamplesOfTheDocumentDoWhatItSays(t *testing.T) {
	examples := docExamples(t)
	if len(examples) < 7 {
		t.Fatalf("%d examples in the document, want all of them", len(examples))
	}
	for _, e := range examples {
		f := serve(t, ingest.Config{}, ingest.Options{})
		if code, text := f.run(t, e.command); code != http.StatusOK {
			t.Errorf("line %d: status %d: %s", e.line, code, text)
			continue
		}
		var want []*telemetry.Change
		list := strings.TrimSpace(e.result)
		if !strings.HasPrefix(list, "[") {
			list = "[" + list + "]"
		}
		if err := json.Unmarshal([]byte(list), &want); err != nil {
			t.Errorf("line %d: the result: %v", e.line, err)
			continue
		}
		if diff := cmp.Diff(want, f.receive(t).Changes); diff != "" {
			t.Errorf("line %d (-document +got):\n%s", e.line, diff)
		}
	}
}

func TestEveryKnownEventTypeIsDocumentedAndTaken(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	doc, err := os.ReadFile("../../docs/changes.md")
	if err != nil {
		t.Fatal(err)
	}
	code, _, body := post(t, "http://"+f.HTTPAddr()+"/api/v1/changes", map[string]string{"Content-Type": "application/cloudevents+json"},
		[]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.build.finished.0.1.0","time":"2026-03-01T14:00:00Z","data":{}}`))
	var refusal struct {
		Error struct{ Known []string }
	}
	if err := json.Unmarshal([]byte(body), &refusal); err != nil || code != http.StatusUnprocessableEntity || len(refusal.Error.Known) != 28 {
		t.Fatalf("status %d, %s, want 422 with the 28 known types", code, body)
	}
	for i, name := range refusal.Error.Known {
		prefix, predicate := name[:strings.LastIndex(name, ".")], name[strings.LastIndex(name, "."):]
		if !strings.Contains(string(doc), "`"+prefix) || !strings.Contains(string(doc), predicate+"`") {
			t.Errorf("%s is not in the document", name)
		}
		event := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"/s","type":"%s.9.9.9-draft","time":"2026-03-01T14:00:00Z",
			"data":{"subject":{"id":"s","content":{"artifactId":"pkg:oci/x@1","value":"v"}}}}`, i, name)
		if code, _, body := post(t, "http://"+f.HTTPAddr()+"/api/v1/changes", map[string]string{"Content-Type": "application/cloudevents+json"}, []byte(event)); code != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, code, body)
			continue
		}
		c := f.receive(t).Changes[0]
		ends := predicate == ".removed" || predicate == ".deleted" || predicate == ".ended" || name == "dev.cdeventsx.eddy-schedule.finished"
		if c.Ends != ends || (c.Value == "") != ends || c.Dimension == "" {
			t.Errorf("%s: %+v, want ends %v", name, c, ends)
		}
	}
}

func TestWrongChangesAreRefusedWithTheReason(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	good := `{"id":"g","time":"2026-03-01T14:03:00Z","kind":"deploy","dimension":"service.version","value":"1"}`
	own, event := "application/json", "application/cloudevents+json"
	tests := []struct {
		contentType, body string
		code              int
		error             string // its beginning
	}{
		{own, ``, 400, "item 0: empty: want a JSON object"},
		{own, `{`, 400, "item 0: no valid JSON object"},
		{own, `[1]`, 400, "item 0: no valid JSON object"},
		{own, `"text"`, 400, "item 0: no valid JSON object"},
		{own, `[` + good + `,{"kind":"deploy","dimenson":"x"}]`, 400, `item 1: field "dimenson": unknown: want one of actor, dimension, ends`},
		{own, `{"time":"yesterday","kind":"deploy","dimension":"x","value":"1"}`, 400, `item 0: field "time": "yesterday": want RFC 3339`},
		{own, strings.Replace(good, "2026-03-01T14:03:00Z", "yesterday", 1), 400, `item 0: field "time": "yesterday": want RFC 3339`},
		{own, strings.Replace(good, "2026", "1970", 1), 400, `item 0: field "time": 1970-03-01T14:03:00Z: want between 2000-01-01 and`},
		{own, strings.Replace(good, "2026", "2100", 1), 400, `item 0: field "time": 2100-03-01T14:03:00Z: want between`},
		{own, strings.Replace(good, "2026", "9999", 1), 400, `item 0: field "time": 9999-03-01T14:03:00Z: want between`},
		{own, strings.Replace(good, "deploy", "release", 1), 400, `item 0: field "kind": "release": want one of deploy, config, flag`},
		{own, strings.Replace(good, `"1"`, `""`, 1), 400, `item 0: field "value": missing: want the state now in force, or "ends": true`},
		{own, strings.Replace(good, `"1"`, `3`, 1), 400, `item 0: field "value": 3: want a text, such as "3"`},
		{own, strings.Replace(good, `"value"`, `"ends":true,"value"`, 1), 400, `item 0: field "ends": true with value "1"`},
		{own, strings.Replace(good, `"value"`, `"origin":"derived","value"`, 1), 400, `item 0: field "origin": "derived": want "reported"`},
		{own, strings.Replace(good, `"value"`, `"url":"javascript:alert(1)","value"`, 1), 400, `item 0: field "url"`},
		{own, strings.Replace(good, "service.version", strings.Repeat("x", 5000), 1), 400, `item 0: field "dimension": 5000 bytes: want at most 4096`},
		{"text/plain", good, 415, `content type "text/plain"`},
		{event, good, 400, "item 0: no valid CloudEvent"},
		{event, `{"specversion":"1.0","id":"1","type":"dev.cdevents.service.deployed.0.3.0"}`, 400, "item 0: no valid CloudEvent: source: REQUIRED"},
		{event, `{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.service.deployed.0.3.0","time":"2026-03-01T14:00:00Z","data":{"subject":{"id":"cart"}}}`, 400, `item 0: field "subject.content.artifactId"`},
		{event, `{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.service.removed.0.3.0","data":{"subject":{"id":"cart"}}}`, 400, `item 0: field "time": missing`},
		{event, `{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdeventsx.eddy-scale.changed.0.1.0","time":"2026-03-01T14:00:00Z","data":{"subject":{"id":"cart"}}}`, 400, `item 0: field "subject.content.replicas": missing`},
		{event, `{"specversion":"1.0","id":"1","source":"/s","type":"com.example.x","time":"2026-03-01T14:00:00Z"}`, 422, `item 0: event type "com.example.x"`},
		{own, `{"x":"` + strings.Repeat("x", 5<<20) + `"}`, 413, "request: more than 4194304 bytes"},
	}
	for _, tt := range tests {
		code, _, body := post(t, "http://"+f.HTTPAddr()+"/api/v1/changes", map[string]string{"Content-Type": tt.contentType}, []byte(tt.body))
		var got struct {
			Error struct{ Message, Hint string }
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || code != tt.code || got.Error.Hint == "" || !strings.HasPrefix(got.Error.Message, tt.error) {
			t.Errorf("%.100s: status %d, %s\nwant %d, %s", tt.body, code, body, tt.code, tt.error)
		}
	}
	if !f.empty(t) {
		t.Error("a part of a refused request was kept")
	}
	res, err := http.Get("http://" + f.HTTPAddr() + "/api/v1/changes")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "POST" {
		t.Errorf("GET: status %d, Allow %q, want 405 and POST", res.StatusCode, res.Header.Get("Allow"))
	}
}

func TestAChangeSentTwiceCountsOnce(t *testing.T) {
	f := serve(t, ingest.Config{}, ingest.Options{})
	send := func(body string) string {
		t.Helper()
		code, _, text := post(t, "http://"+f.HTTPAddr()+"/api/v1/changes", nil, []byte(body))
		if code != http.StatusOK {
			t.Fatalf("status %d: %s", code, text)
		}
		return strings.TrimSpace(text)
	}
	noID := `{"time":"2026-03-01T14:03:00Z","kind":"deploy","dimension":"service.version","value":"1"}`
	withID := strings.Replace(noID, `{`, `{"id":"x",`, 1)
	for _, tt := range []struct{ body, want string }{
		{noID, `{"accepted":1,"duplicates":0}`},
		{noID, `{"accepted":0,"duplicates":1}`},
		{strings.Replace(noID, `"1"`, `"2"`, 1), `{"accepted":1,"duplicates":0}`},
		{"[" + withID + "," + withID + "," + noID + "]", `{"accepted":1,"duplicates":2}`},
	} {
		if got := send(tt.body); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.body, got, tt.want)
		}
	}
	for range 3 {
		if got := f.receive(t); len(got.Changes) != 1 || got.First != time.Date(2026, 3, 1, 14, 3, 0, 0, time.UTC) {
			t.Errorf("batch of %d changes at %v, want one at 14:03", len(got.Changes), got.First)
		}
	}
}

func FuzzParseChanges(f *testing.F) {
	f.Add([]byte(`{"id":"g","time":"2026-03-01T14:03:00Z","kind":"deploy","dimension":"service.version","value":"1"}`))
	f.Add([]byte(`[{"ends":true}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		changes, err := ingest.ParseChanges(data, time.Time{})
		if err != nil {
			return
		}
		// What was accepted is accepted again, as the same.
		again, err := json.Marshal(changes)
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		got, err := ingest.ParseChanges(again, time.Time{})
		if err != nil {
			t.Fatalf("ParseChanges(%s) = %v", again, err)
		}
		if diff := cmp.Diff(changes, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", again, diff)
		}
	})
}

func TestAChangeWithoutATimeCameIntoForceAtTheGivenOne(t *testing.T) {
	text := []byte(`{"kind":"deploy","entity":"cart","dimension":"service.version","value":"2.4.0"}`)
	at := time.Date(2026, 3, 1, 14, 3, 0, 0, time.UTC)
	got, err := ingest.ParseChanges(text, at)
	if err != nil || len(got) != 1 || !got[0].Time.Equal(at) {
		t.Errorf("ParseChanges = %v, %v; want one change at %s", got, err, at)
	}
	if _, err := ingest.ParseChanges(text, time.Time{}); err == nil || !strings.Contains(err.Error(), `"time": missing`) {
		t.Errorf("in a file, error is %v, want that the time is missing", err)
	}
}
