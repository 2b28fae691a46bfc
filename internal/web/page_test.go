package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/web"
)

// document is a page as a browser would have it.
type document struct{ *html.Node }

func open(t testing.TB, h http.Handler, target string, want int) document {
	t.Helper()
	w := ask(t, h, "GET", target, nil, "Accept", "text/html")
	if w.Code != want {
		t.Fatalf("%s: got status %d, want %d\n%s", target, w.Code, want, w.Body)
	}
	node, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return document{node}
}

// find returns the elements of a name that have the class, or all of the name
// if class is empty; an empty name stands for all names.
func (d document) find(name, class string) []document {
	var out []document
	for n := range d.Descendants() {
		if n.Type != html.ElementNode || (name != "" && n.Data != name) {
			continue
		}
		if class == "" || slices.Contains(strings.Fields(document{n}.attr("class")), class) {
			out = append(out, document{n})
		}
	}
	return out
}

func (d document) attr(key string) string {
	for _, a := range d.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what can be read, pictures aside, with one line for each block.
func (d document) text() string {
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		block := false
		switch {
		case n.Type == html.TextNode:
			b.WriteString(strings.Join(strings.Fields(n.Data), " "))
			b.WriteString(" ")
		case n.Type == html.ElementNode:
			if n.Data == "svg" || n.Data == "script" || n.Data == "button" {
				return
			}
			block = slices.Contains([]string{"p", "h1", "h2", "h3", "li", "tr", "dt", "dd", "summary", "pre", "div", "section", "a"}, n.Data)
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if block {
			b.WriteString("\n")
		}
	}
	walk(d.Node)
	var lines []string
	for line := range strings.Lines(b.String()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func (d document) main() document { return d.find("main", "")[0] }

func TestPagesReadWell(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	empty := serve(t, web.Config{Records: newEmpty()}).Handler()
	for name, page := range map[string]struct {
		handler http.Handler
		target  string
	}{
		"front":       {h, "/"},
		"twist":       {h, "/incidents/2026-11-21-1"},
		"single":      {h, "/incidents/2026-11-20-1"},
		"unexplained": {h, "/incidents/2026-11-21-2"},
		"trace":       {h, "/traces/" + newShopTrace(t) + "?incident=2026-11-21-1"},
		"phases":      {h, "/phases"},
		"empty":       {empty, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			eddytest.Golden(t, name+".txt", open(t, page.handler, page.target, 200).main().text())
		})
	}
}

func TestErrorPagesSayWhatToDo(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for target, want := range map[string]string{
		"/incidents/nope":                    `incident "nope": not found`,
		"/nowhere":                           `path "/nowhere": nothing is served there`,
		"/traces/" + strings.Repeat("e", 32): "not found",
	} {
		text := open(t, h, target, 404).main().text()
		if !strings.Contains(text, want) || !strings.Contains(text, "Next") {
			t.Errorf("%s says\n%s\nwant %q and what to do next", target, text, want)
		}
	}
}

func TestAPageThatCannotBeAnsweredIsAnErrorPage(t *testing.T) {
	closed := newEmpty()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	h := serve(t, web.Config{Records: closed}).Handler()
	text := open(t, h, "/", 500).main().text()
	if !strings.Contains(text, "That went wrong") || strings.Contains(text, "closed") {
		t.Errorf("the page says\n%s\nwant that it went wrong, and not the inner error", text)
	}
}

func TestPagesCarryNothingInlineAndNothingFromElsewhere(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for _, target := range []string{"/", "/incidents/2026-11-21-1", "/incidents/2026-11-21-3", "/traces/" + newShopTrace(t), "/phases", "/signin"} {
		for _, e := range open(t, h, target, 200).find("", "") {
			for _, a := range e.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s %s=%q>: the content security policy refuses it", target, e.Data, a.Key, a.Val)
				}
				if (a.Key == "src" || (a.Key == "href" && e.Data == "link")) && !strings.HasPrefix(a.Val, "/static/") {
					t.Errorf("%s: <%s %s=%q> is not one of our own files", target, e.Data, a.Key, a.Val)
				}
			}
			if (e.Data == "script" && e.attr("src") == "") || e.Data == "style" {
				t.Errorf("%s: an inline <%s>", target, e.Data)
			}
		}
	}
}

func TestTheSentenceNamesEachConditionByItsLetter(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	page := open(t, h, "/incidents/2026-11-21-1", 200)
	var got []string
	for _, n := range page.find("h1", "")[0].find("span", "named") {
		got = append(got, strings.Join(strings.Fields(n.text()), " "))
	}
	if want := []string{"A cart 2.3.0", "B pricing flag rounding=banker", "C pricing 2.4.0"}; !slices.Equal(got, want) {
		t.Errorf("the sentence marks %q, want %q", got, want)
	}
}

func TestACellLinksItsTracesToTheirWaterfalls(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	links := 0
	for _, a := range open(t, h, "/incidents/2026-11-21-1", 200).find("a", "") {
		if strings.HasPrefix(a.attr("href"), "/traces/") {
			links++
			open(t, h, a.attr("href"), 200)
		}
	}
	if links != 24 {
		t.Errorf("the eight cells link %d traces, want three each", links)
	}
}

func TestTextFromTelemetryStaysText(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for _, target := range []string{"/", "/incidents/2026-11-21-3"} {
		page := open(t, h, target, 200)
		if n := len(page.main().find("script", "")); n > 0 {
			t.Errorf("%s has %d scripts in its main part, want the name shown as text", target, n)
		}
		if !strings.Contains(page.main().text(), "<script>alert(1)</script>") {
			t.Errorf("%s does not show the name as it is", target)
		}
	}
}

func TestAChangesLinkIsFollowedOnlyOverHTTP(t *testing.T) {
	config := shopConfig(t)
	i := unexplained()
	i.ID = "evil"
	i.Timeline = []incident.Moment{
		{Time: now(), What: "change", Text: "one", Change: &telemetry.Change{URL: "javascript:alert(1)"}},
		{Time: now(), What: "change", Text: "two", Change: &telemetry.Change{URL: "https://ci.example/7"}},
	}
	config.Records.(*shop).save(t, pipeline.Result{Incidents: []incident.Incident{i}})
	page := open(t, serve(t, config).Handler(), "/incidents/evil", 200)
	var got []string
	for _, a := range page.find("ol", "timeline")[0].find("a", "") {
		got = append(got, a.attr("href"))
	}
	if want := []string{"https://ci.example/7"}; !slices.Equal(got, want) {
		t.Errorf("the timeline links %q, want %q", got, want)
	}
}

func TestAVerdictOnAPageSaysWhatItMeans(t *testing.T) {
	records := newEmpty()
	h := serve(t, web.Config{Records: records}).Handler()
	for _, v := range []interaction.Verdict{interaction.SingleCause, interaction.Interact, interaction.Joint, interaction.Proxy} {
		id := "is-" + strings.ReplaceAll(string(v), " ", "-")
		i := incident.Incident{
			ID: incident.ID(id), State: incident.Open, Title: "x", Began: now(), Updated: now(), Failures: 9, Requests: 90, Outcome: request.Failed,
			Finding: &interaction.Finding{Verdict: v, Conditions: []condition.Condition{{Dimension: "attempt", Value: "2"}}},
		}
		if err := records.Save(t.Context(), pipeline.Result{Incidents: []incident.Incident{i}}); err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"/", "/incidents/" + id} {
			if page := ask(t, h, "GET", target, nil).Body.String(); !strings.Contains(page, `title="`+v.Says(request.Failed, "request")+" ") {
				t.Errorf("%s does not say what the verdict %s means:\n%s", target, v, page)
			}
		}
	}
}

func TestIncidentsOfEveryShapeHaveAPage(t *testing.T) {
	records := newEmpty()
	h := serve(t, web.Config{Records: records}).Handler()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := fmt.Sprint("shape-", n)
		text := rapid.StringN(0, 40, 200)
		conditions := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) condition.Condition {
			return condition.Condition{Entity: text.Draw(rt, "entity"), Dimension: text.Draw(rt, "dimension"), Value: text.Draw(rt, "value")}
		}), 0, 5).Draw(rt, "conditions")
		i := incident.Incident{
			ID: incident.ID(id), State: rapid.SampledFrom([]incident.State{incident.Open, incident.Mitigated, incident.Resolved}).Draw(rt, "state"),
			Title: text.Draw(rt, "title"), Began: now().Add(-time.Duration(rapid.Int64Range(-1e12, 1e16).Draw(rt, "age"))), Updated: now(),
			Failures: rapid.IntRange(0, 50).Draw(rt, "failures"), Requests: rapid.IntRange(0, 50).Draw(rt, "requests"),
			Outcome: 1,
		}
		if rapid.Bool().Draw(rt, "explained") {
			i.Finding = &interaction.Finding{Verdict: interaction.Joint, Conditions: conditions}
			for range rapid.IntRange(0, 4).Draw(rt, "cells") {
				i.Finding.Cells = append(i.Finding.Cells, interaction.Cell{
					Total: rapid.IntRange(0, 3).Draw(rt, "total"), Risk: rapid.Float64Range(0, 1).Draw(rt, "risk"), High: rapid.Float64Range(0, 1).Draw(rt, "high"),
				})
			}
		}
		if err := records.Save(t.Context(), pipeline.Result{Incidents: []incident.Incident{i}}); err != nil {
			rt.Skip(err)
		}
		for _, target := range []string{"/", "/incidents/" + id, "/api/v1/incidents/" + id + "/confluence"} {
			if w := ask(t, h, "GET", target, nil); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "NaN") {
				rt.Fatalf("%s: got %d, want 200 without NaN\n%s", target, w.Code, w.Body)
			}
		}
	})
}

func TestAWaterfallShowsEachSpanOnceWhateverTheParents(t *testing.T) {
	records := newEmpty()
	h := serve(t, web.Config{Records: records}).Handler()
	id := telemetry.TraceID{1}
	rapid.Check(t, func(rt *rapid.T) {
		id[15]++
		n := rapid.IntRange(1, 40).Draw(rt, "spans")
		var b telemetry.Batch
		for k := range n {
			b.Spans = append(b.Spans, &telemetry.Span{
				Trace: id, ID: telemetry.SpanID{byte(k + 1)},
				Parent: telemetry.SpanID{byte(rapid.IntRange(0, n+3).Draw(rt, "parent"))}, // none, itself, any, or absent
				Name:   fmt.Sprint("span-", k), Resource: &telemetry.Resource{Service: "s"},
				Start: now(), End: now().Add(time.Duration(rapid.IntRange(-5, 9).Draw(rt, "took")) * time.Second),
			})
		}
		if err := records.Append(t.Context(), b, 1); err != nil {
			rt.Fatal(err)
		}
		page := open(t, h, "/traces/"+id.String(), 200)
		if got := len(page.find("details", "span")); got != n {
			rt.Fatalf("%d spans have %d rows", n, got)
		}
	})
}

func TestATraceOf50000SpansIsCutAndSaysSo(t *testing.T) {
	var b telemetry.Batch
	for k := range 50_000 {
		sp := &telemetry.Span{
			Trace: telemetry.TraceID{1}, ID: telemetry.SpanID{1, byte(k >> 16), byte(k >> 8), byte(k)}, Name: "deep",
			Resource: &telemetry.Resource{Service: "s"}, Start: now().Add(time.Duration(k)), End: now().Add(time.Second),
		}
		if k > 0 { // one chain, as deep as it is long
			sp.Parent = b.Spans[k-1].ID
		}
		b.Spans = append(b.Spans, sp)
	}
	records := newEmpty()
	if err := records.Append(t.Context(), b, 1); err != nil {
		t.Fatal(err)
	}
	h := serve(t, web.Config{Records: records}).Handler()
	page := open(t, h, "/traces/01"+strings.Repeat("0", 30), 200)
	if got := len(page.find("details", "span")); got != 1000 {
		t.Errorf("the waterfall has %d rows, want 1,000", got)
	}
	if text := page.main().text(); !strings.Contains(text, "These are the first 1,000 of 50,000 spans") {
		t.Error("the page does not say that spans were left out")
	}
	var body struct {
		Spans []json.RawMessage
		Kept  int `json:"spans_kept"`
	}
	w := ask(t, h, "GET", "/api/v1/traces/01"+strings.Repeat("0", 30), nil)
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body.Spans) != 5000 || body.Kept != 50_000 {
		t.Errorf("the API gives %d of %d spans (%v), want 5,000 of 50,000", len(body.Spans), body.Kept, err)
	}
}
