package graph_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// requests reads a trace written by hand and returns its requests.
func requests(t testing.TB, text string) []request.Request {
	t.Helper()
	spans, err := eddytest.ParseTrace(text)
	if err != nil {
		t.Fatal(err)
	}
	a := request.New(request.Config{})
	a.Add(eddytest.Start(), spans)
	return a.Drain(eddytest.Start())
}

func shop(t testing.TB) []request.Request {
	t.Helper()
	text, err := os.ReadFile("testdata/shop.trace")
	if err != nil {
		t.Fatal(err)
	}
	return requests(t, string(text))
}

func describe(g *graph.Graph) string {
	var out strings.Builder
	for _, n := range g.Nodes() {
		fmt.Fprintf(&out, "%s: %s %s, %d requests, %d failed\n", n.Name, n.Kind, n.System, n.Requests, n.Failed)
	}
	for _, e := range g.Edges() {
		arrow := "->"
		if e.Async {
			arrow = "~>"
		}
		fmt.Fprintf(&out, "%s %s %s: %d calls, %d failed, %d retries, %v\n", e.From, arrow, e.To, e.Calls, e.Failed, e.Retries, e.Duration)
	}
	return out.String()
}

func TestRequestsFoldIntoWhoDependsOnWhom(t *testing.T) {
	g := graph.New()
	var out strings.Builder
	for _, r := range shop(t) {
		g.Add(r)
		fmt.Fprintf(&out, "path of %s: %s\n", r.Entry, strings.Join(graph.Path(&r), ", "))
	}
	eddytest.Golden(t, "shop.golden", out.String()+describe(g))
}

func TestGraphOfPartsEqualsGraphOfWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawn().Draw(t, "requests")
		whole, left, right := graph.New(), graph.New(), graph.New()
		for i, r := range all {
			whole.Add(r)
			if rapid.Bool().Draw(t, fmt.Sprint("left ", i)) {
				left.Add(r)
			} else {
				right.Add(r)
			}
		}
		merged := graph.New()
		merged.Merge(right)
		merged.Merge(left)
		if d := cmp.Diff(describe(whole), describe(merged)); d != "" {
			t.Fatalf("whole and merged differ (-whole +merged):\n%s", d)
		}
	})
}

// drawn makes requests of random spans over few services and targets.
func drawn() *rapid.Generator[[]request.Request] {
	return rapid.Custom(func(t *rapid.T) []request.Request {
		var lines strings.Builder
		for i := range rapid.IntRange(0, 6).Draw(t, "traces") {
			fmt.Fprintf(&lines, "trace %d\n", i)
			depth := 0
			for range rapid.IntRange(1, 8).Draw(t, "spans") {
				word := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "word") }
				fmt.Fprintf(&lines, "%s%s %s 1ms %s %s %s\n", strings.Repeat("  ", depth),
					word("a", "b", "c"), word("get", "put"),
					word("client", "server", "internal", "producer", "consumer"),
					word("error", "ok"),
					word("", "db.system=redis", "db.system=mysql", "peer.service=b", "messaging.destination.name=c", "server.address=x"))
				depth = rapid.IntRange(0, depth+1).Draw(t, "depth")
			}
		}
		spans, err := eddytest.ParseTrace(lines.String())
		if err != nil {
			t.Fatal(err)
		}
		a := request.New(request.Config{})
		a.Add(eddytest.Start(), spans)
		return a.Drain(eddytest.Start())
	})
}

func TestGraphsSurviveJSON(t *testing.T) {
	g := graph.New()
	for _, r := range shop(t) {
		g.Add(r)
	}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back graph.Graph
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(describe(g), describe(&back)); d != "" {
		t.Errorf("graph changed in JSON:\n%s", d)
	}
}

func TestNodesAreBounded(t *testing.T) {
	g := graph.New()
	for i := range 3_000 {
		for _, r := range requests(t, fmt.Sprintf("a get 1ms\n  a call 1ms client peer.service=p%d", i)) {
			g.Add(r)
		}
	}
	if n := len(g.Nodes()); n != 2_001 {
		t.Errorf("%d nodes, want 2000 and one for the others", n)
	}
	calls := 0
	for _, e := range g.Edges() {
		calls += e.Calls
	}
	if calls != 3_000 {
		t.Errorf("%d calls, want all 3000: the others are counted together", calls)
	}
}

func TestTargetsAreNamedAsPeopleKnowThem(t *testing.T) {
	for _, c := range []struct{ words, want string }{
		{"peer.service=orders-db db.system=mysql db.name=orders", "orders-db store, also orders"},
		{"db.system=mysql db.name=orders net.peer.name=db1.prod.svc:3306", "orders store, also db1"},
		{"db.system=mysql server.address=10.0.0.7", "mysql store, also "},
		{"db.system=valkey server.address=sessions", "sessions cache, also "},
		{"http.url=https://user:x@api.example:443/v1?x=1", "api.example peer, also "},
		{"server.address=::1", " peer, also "},
		{"server.address=api.svc.example", "api peer, also "},
		{"producer messaging.destination.name=jobs-42424 messaging.system=sqs server.address=broker", "jobs-{id} queue, also broker"},
		{"http.request.method=GET", " peer, also "},
	} {
		spans, err := eddytest.ParseTrace("a call 1ms client " + c.words)
		if err != nil {
			t.Fatal(err)
		}
		got := graph.TargetOf(spans[0])
		if s := fmt.Sprintf("%s %s, also %s", got.Name, got.Kind, strings.Join(got.Also, " ")); s != c.want {
			t.Errorf("TargetOf(%s) = %q, want %q", c.words, s, c.want)
		}
	}
}

func TestARequestOfOneSpanHasItsServiceAsPath(t *testing.T) {
	r := request.Request{Spans: []*telemetry.Span{{Resource: eddytest.Resource(map[string]string{"service.name": "a"})}}}
	if got := graph.Path(&r); len(got) != 1 || got[0] != "a" {
		t.Errorf("Path = %q, want a", got)
	}
}
