package web_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/web"
	"example.test/eddy/phase/wire"
)

// ask sends one request to a handler, as a client on this machine would.
func ask(t testing.TB, h http.Handler, method, target string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	r.Host = "127.0.0.1:7080"
	for k := 0; k+1 < len(headers); k += 2 {
		r.Header.Set(headers[k], headers[k+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// apiDocument is the OpenAPI document as the server gives it.
type apiDocument struct {
	Paths map[string]map[string]operation
	raw   any
}

type operation struct {
	OperationID string `json:"operationId"`
	Responses   map[string]json.RawMessage
}

func readDocument(t *testing.T, s *web.Server) apiDocument {
	t.Helper()
	w := ask(t, s.Handler(), "GET", "/api/v1/openapi.json", nil)
	var d apiDocument
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	d.raw = raw
	return d
}

// check says how a body differs from what the document says of a response.
func (d apiDocument) check(t *testing.T, path, method, status string, w *httptest.ResponseRecorder) {
	t.Helper()
	at := "/paths/" + strings.ReplaceAll(strings.ReplaceAll(path, "~", "~0"), "/", "~1") + "/" + method + "/responses/" + status
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	response := d.find(at)
	if ref, ok := response["$ref"].(string); ok {
		at = strings.TrimPrefix(ref, "#")
		response = d.find(at)
	}
	content, _ := response["content"].(map[string]any)
	if len(content) == 0 && w.Body.Len() == 0 {
		return
	}
	media, ok := content[kind].(map[string]any)
	if !ok {
		t.Errorf("content type is %q, which the document does not list for %s", kind, at)
		return
	}
	if kind != "application/json" || media["schema"] == nil {
		return
	}
	d.validate(t, at+"/content/application~1json/schema", w.Body.Bytes(), "body")
}

// validate says how a value differs from the schema at a JSON pointer.
func (d apiDocument) validate(t *testing.T, pointer string, body []byte, what string) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("api.json", d.raw); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("api.json#" + url.PathEscape(pointer))
	if err != nil {
		t.Fatalf("schema at %s: %v", pointer, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s is not JSON: %v", what, err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s does not fit the schema: %v\n%s", what, err, body)
	}
}

// find returns the object at a JSON pointer, or an empty one.
func (d apiDocument) find(pointer string) map[string]any {
	at := d.raw
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, _ := at.(map[string]any)
		at = object[strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")]
	}
	object, _ := at.(map[string]any)
	return object
}

// example is a request that must get the status.
type example struct {
	target, body, kind string
	contentType        string // application/json if empty
	bare               bool   // of a server that knows nothing
	config             func(*web.Config)
}

// examples has one for each status of each operation of the document.
func examples(t *testing.T) map[string]map[string]example {
	trace := newShopTrace(t)
	closed := func(c *web.Config) { c.Access = tokens(t) }
	return map[string]map[string]example{
		"listIncidents": {"200": {target: "/api/v1/incidents?state=open&since=24h&limit=5"}, "400": {target: "/api/v1/incidents?limit=0"}, "401": {target: "/api/v1/incidents", config: closed}},
		"getIncident":   {"200": {target: "/api/v1/incidents/2026-11-21-1"}, "404": {target: "/api/v1/incidents/none"}, "401": {target: "/api/v1/incidents/x", config: closed}},
		"getConfluence": {"200": {target: "/api/v1/incidents/2026-11-21-1/confluence"}, "404": {target: "/api/v1/incidents/none/confluence"}, "401": {target: "/api/v1/incidents/x/confluence", config: closed}},
		"postExperiment": {
			"200": {target: "/api/v1/incidents/2026-11-21-1/experiments", body: reproduced(t, twist())},
			"400": {target: "/api/v1/incidents/2026-11-21-1/experiments", body: `{"status":"confirmed"}`},
			"401": {target: "/api/v1/incidents/x/experiments", config: closed},
			"403": {target: "/api/v1/incidents/x/experiments", kind: "cross-site"},
			"404": {target: "/api/v1/incidents/none/experiments", body: reproduced(t, twist())},
			"409": {target: "/api/v1/incidents/2026-11-21-1/experiments", body: reproduced(t, twist()[:1])},
			"413": {target: "/api/v1/incidents/x/experiments", body: `{"system":"` + strings.Repeat("x", 2<<20) + `"}`},
			"503": {target: "/api/v1/incidents/x/experiments", config: func(c *web.Config) { c.Experiments = nil }},
		},
		"getTrace":       {"200": {target: "/api/v1/traces/" + trace}, "400": {target: "/api/v1/traces/xyz"}, "404": {target: "/api/v1/traces/" + strings.Repeat("e", 32)}, "401": {target: "/api/v1/traces/x", config: closed}},
		"listConditions": {"200": {target: "/api/v1/conditions?at=2026-11-21T10:25:00Z"}, "400": {target: "/api/v1/conditions?at=yesterday"}, "401": {target: "/api/v1/conditions", config: closed}},
		"listChanges":    {"200": {target: "/api/v1/changes?from=20m&limit=3"}, "400": {target: "/api/v1/changes?from=1m&to=2m"}, "401": {target: "/api/v1/changes", config: closed}},
		"postChanges": {
			"200": {target: "/api/v1/changes", body: `{"kind":"flag","dimension":"x","value":"y"}`},
			"400": {target: "/api/v1/changes", body: `[{"kind":"flag","dimension":"x","value":"y"},{"kind":"whim"}]`},
			"413": {target: "/api/v1/changes", body: `{"summary":"` + strings.Repeat("x", 5<<20) + `"}`},
			"415": {target: "/api/v1/changes", body: "kind: flag", contentType: "application/yaml"},
			"422": {
				target: "/api/v1/changes", contentType: "application/cloudevents+json",
				body: `{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.build.finished.0.1.0","time":"2026-03-01T14:00:00Z","data":{}}`,
			},
			"401": {target: "/api/v1/changes", config: closed},
			"403": {target: "/api/v1/changes", kind: "cross-site"},
			"503": {target: "/api/v1/changes", config: func(c *web.Config) { c.Changes = nil }},
		},
		"listTotals":  {"200": {target: "/api/v1/totals?service=gateway&operation=POST+/checkout"}, "400": {target: "/api/v1/totals?service=gateway"}, "401": {target: "/api/v1/totals", config: closed}},
		"getCoverage": {"200": {target: "/api/v1/coverage"}, "401": {target: "/api/v1/coverage", config: closed}},
		"getGraph":    {"200": {target: "/api/v1/graph"}, "401": {target: "/api/v1/graph", config: closed}},
		"getPhaseReport": {
			"200": {target: "/api/v1/phase/report?window=1h&detail=true"}, "400": {target: "/api/v1/phase/report?window=2h"},
			"401": {target: "/api/v1/phase/report", config: closed}, "503": {target: "/api/v1/phase/report", config: func(c *web.Config) { c.PhaseReports = nil }},
		},
		"phasesPage": {"200": {target: "/phases"}, "401": {target: "/phases", config: closed}, "503": {target: "/phases", config: func(c *web.Config) { c.PhaseReports = nil }}},
		"streamEvents": {
			"200": {target: "/api/v1/events"}, "401": {target: "/api/v1/events", config: closed},
			"503": {target: "/api/v1/events", kind: "stopped"},
		},
		"getDocument": {"200": {target: "/api/v1/openapi.json"}},
		"getHealth":   {"200": {target: "/healthz"}},
		"getReady": {
			"200": {target: "/readyz"},
			"503": {target: "/readyz", config: func(c *web.Config) {
				c.Health = func() (bool, map[string]string) { return false, map[string]string{"journal": "full"} }
			}},
		},
		"getMetrics":   {"200": {target: "/metrics"}, "401": {target: "/metrics", config: closed}, "503": {target: "/metrics", config: func(c *web.Config) { c.Metrics = nil }}},
		"frontPage":    {"200": {target: "/"}, "401": {target: "/", config: closed}},
		"incidentPage": {"200": {target: "/incidents/2026-11-20-1"}, "404": {target: "/incidents/none"}, "401": {target: "/incidents/none", config: closed}},
		"tracePage":    {"200": {target: "/traces/" + trace}, "400": {target: "/traces/1"}, "404": {target: "/traces/" + strings.Repeat("e", 32)}, "401": {target: "/traces/1", config: closed}},
		"signinPage":   {"200": {target: "/signin"}},
		"signin": {
			"303": {target: "/signin", body: "token=viewer-token-of-the-tests&next=/incidents/1", config: closed},
			"401": {target: "/signin", body: "token=wrong-token-of-the-tests", config: closed},
			"403": {target: "/signin", kind: "cross-site"},
		},
		"getStatic": {"200": {target: "/static/eddy.css"}, "404": {target: "/static/none.css"}},
	}
}

func tokens(t testing.TB) *access.List {
	t.Helper()
	l, err := access.New([]access.Token{
		{Name: "reader", Role: access.Viewer, Token: "viewer-token-of-the-tests"},
		{Name: "sender", Role: access.Ingest, Token: "ingest-token-of-the-tests"},
		{Name: "runner", Role: access.Operator, Token: "operator-token-of-the-tests"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheServerDoesWhatItsDocumentSays(t *testing.T) {
	document := readDocument(t, serve(t, shopConfig(t)))
	all := examples(t)
	maps.Copy(all, phaseExamples(t))
	for path, methods := range document.Paths {
		for method, op := range methods {
			for status := range op.Responses {
				t.Run(op.OperationID+"_"+status, func(t *testing.T) {
					e, ok := all[op.OperationID][status]
					if !ok {
						t.Fatalf("no example of %s %s with status %s: add one", method, path, status)
					}
					w := e.send(t, method)
					if got := http.StatusText(w.Code); w.Code != atoi(status) {
						t.Fatalf("%s %s: got %d %s, want %s\n%s", method, e.target, w.Code, got, status, w.Body)
					}
					document.check(t, path, method, status, w)
				})
			}
		}
	}
}

// send asks a server of its own, since examples close and open it.
func (e example) send(t *testing.T, method string) *httptest.ResponseRecorder {
	t.Helper()
	c := web.Config{Records: newEmpty()}
	if !e.bare {
		c = shopConfig(t)
	}
	if e.config != nil {
		e.config(&c)
	}
	s := serve(t, c)
	headers := []string{"Content-Type", cmp.Or(e.contentType, "application/json")}
	if strings.HasPrefix(e.target, "/signin") {
		headers[1] = "application/x-www-form-urlencoded"
	}
	switch e.kind {
	case "cross-site":
		headers = append(headers, "Sec-Fetch-Site", "cross-site")
	case "stopped":
		s.Close()
	}
	if e.target == "/api/v1/events" && e.kind == "" {
		// A stream ends with the server, or the client: here the recorder would
		// wait for ever.
		return firstOf(t, s)
	}
	if strings.HasPrefix(e.target, wire.PathWatch) {
		return briefly(t, s, e.target)
	}
	return ask(t, s.Handler(), strings.ToUpper(method), e.target, strings.NewReader(e.body), headers...)
}

func atoi(status string) int {
	n := 0
	for _, c := range status {
		n = 10*n + int(c-'0')
	}
	return n
}

func TestEventsFitTheDocument(t *testing.T) {
	s := serve(t, web.Config{Records: newEmpty()})
	server := httptest.NewServer(s.Handler())
	defer server.CloseClientConnections()
	document := readDocument(t, s)
	events := listen(t, server.URL, "")
	events.next()
	s.Publish(step(slow()))
	for _, schema := range []string{"IncidentEvent", "StepEvent"} {
		_, name, data := events.next()
		document.validate(t, "/components/schemas/"+schema, []byte(data), name)
	}
}

func TestEveryRouteIsInTheDocument(t *testing.T) {
	s := serve(t, shopConfig(t))
	var documented []string
	for path, methods := range readDocument(t, s).Paths {
		for method := range methods {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(documented)
	if routes := s.Routes(); !slices.Equal(routes, documented) {
		t.Errorf("routes are\n%s\nthe document has\n%s", strings.Join(routes, "\n"), strings.Join(documented, "\n"))
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for target, want := range map[string]string{
		"/api/v1/incidents?limit=501":              `parameter limit="501": want a whole number from 1 to 500`,
		"/api/v1/incidents?state=closed":           `parameter state="closed": want open, mitigated or resolved`,
		"/api/v1/incidents?since=soon":             `parameter since="soon": want a time like 2026-11-21T10:00:00Z, or how long ago, like 90m`,
		"/api/v1/totals?from=2026-01-01T00:00:00Z": `parameter from="2026-01-01T00:00:00Z": want at most 2 d before to`,
		"/api/v1/traces/1234":                      `trace id "1234": want 32 hexadecimal digits`,
		"/api/v1/nothing":                          `path "/api/v1/nothing": nothing is served there`,
	} {
		w := ask(t, h, "GET", target, nil)
		var body struct {
			Error struct{ Message, Hint, Code string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: %v in %s", target, err, w.Body)
			continue
		}
		if body.Error.Message != want || body.Error.Hint == "" || body.Error.Code == "" {
			t.Errorf("%s: got %+v, want the message %q, a hint and a code", target, body.Error, want)
		}
	}
}

func TestAnotherMethodIsAnswered405WithTheRightOnes(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	w := ask(t, h, "DELETE", "/api/v1/changes", nil)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, POST" {
		t.Errorf("got %d, Allow %q, want 405 and GET, POST", w.Code, w.Header().Get("Allow"))
	}
}

func TestListsArePaged(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	var got []string
	for offset := range 5 {
		w := ask(t, h, "GET", "/api/v1/incidents?limit=1&offset="+string(rune('0'+offset)), nil)
		var page struct {
			Incidents []struct{ ID string }
			Total     int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		if page.Total != 4 {
			t.Errorf("offset %d: total is %d, want 4", offset, page.Total)
		}
		for _, i := range page.Incidents {
			got = append(got, i.ID)
		}
	}
	slices.Sort(got)
	if want := []string{"2026-11-20-1", "2026-11-21-1", "2026-11-21-2", "2026-11-21-3"}; !slices.Equal(got, want) {
		t.Errorf("pages of one hold %v, want %v", got, want)
	}
	w := ask(t, h, "GET", "/api/v1/changes?from=20m&limit=2", nil)
	if !strings.Contains(w.Body.String(), `"more":true`) {
		t.Errorf("two of five changes: %s, want more to be true", w.Body)
	}
}

func FuzzQuery(f *testing.F) {
	h := serve(f, web.Config{Records: newEmpty()}).Handler()
	for _, q := range []string{"limit=3", "since=-1h", "from=1h&to=2h", "at=9999-12-31T23:59:59Z", "since=2540400h", "offset=99999999999", "service=a;b"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"incidents", "changes", "totals", "conditions"} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/"+path, nil)
			r.Host, r.URL.RawQuery = "localhost", query
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
				t.Errorf("%s?%s: got %d, want 200 or 400: %s", path, query, w.Code, w.Body)
			}
		}
	})
}
