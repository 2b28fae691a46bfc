package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/demo"
	"example.test/eddy/internal/interaction"
)

// A run is a story that was played to its end, and what arrived of it.
type run struct {
	*collector
	changes    *changeLog
	transcript string
	stats      demo.Stats
	trouble    time.Time // from when on the failures' conditions were in force
}

// play runs a story at a pace of 30 ms a beat until n requests have come after
// its trouble is complete.
func play(t *testing.T, story string, seed uint64, n int) run {
	t.Helper()
	r := run{collector: newCollector(t), changes: newChangeLog(t)}
	var transcript bytes.Buffer
	shop, err := demo.Start(t.Context(), demo.Config{
		Story: story, Seed: seed, Rate: 320, Pace: 30 * time.Millisecond, Dir: t.TempDir(),
		OTLPEndpoint: r.endpoint, ChangesURL: r.changes.url, Log: &transcript,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-shop.Trouble():
	case <-shop.Done():
		t.Fatalf("story %s ended before its trouble: %v\n%s", story, shop.Wait(), transcript.String())
	}
	r.trouble = time.Now()
	r.await(t, r.trouble, n)
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := shop.Close(limit); err != nil {
		t.Fatalf("Close = %v", err)
	}
	r.stop()
	r.stats, r.transcript = shop.Stats(), transcript.String()
	return r
}

// A cell counts the requests that met the same of some conditions.
type cell struct{ total, failed int }

func (c cell) risk() float64 { return float64(c.failed) / float64(max(c.total, 1)) }

// cells counts the requests since the trouble by what key says of their spans;
// those for which it says nothing are left out.
func (r run) cells(key func(spans []span) string) map[string]cell {
	table := make(map[string]cell)
	for _, spans := range r.traces {
		i := slices.IndexFunc(spans, func(s span) bool { return s.parent.IsEmpty() })
		if i < 0 || spans[i].start.Before(r.trouble) {
			continue
		}
		if k := key(spans); k != "" {
			c := table[k]
			c.total++
			if spans[i].failed {
				c.failed++
			}
			table[k] = c
		}
	}
	return table
}

// holds reports whether a condition was in force on a path.
func holds(spans []span, c condition.Condition) bool {
	return slices.ContainsFunc(spans, func(s span) bool {
		if s.service != c.Entity {
			return false
		}
		if flag, ok := strings.CutPrefix(c.Dimension, "flag "); ok {
			return s.flags[flag] == c.Value
		}
		return c.Dimension == "service.version" && s.version == c.Value
	})
}

func TestOnlyTheThreeTogetherFail(t *testing.T) {
	t.Parallel()
	r := play(t, "twist", 1, 800)
	truth := truthOf(t, "twist")
	if len(truth.Conditions) != 3 || truth.Verdict != interaction.Interact {
		t.Fatalf("truth is %+v, want an interaction of three", truth)
	}
	table := r.cells(func(spans []span) string {
		if !slices.ContainsFunc(spans, func(s span) bool { return s.service == "cart" && s.server }) {
			return "" // Not all three are on the path.
		}
		var held []byte
		for _, c := range truth.Conditions {
			held = append(held, '0')
			if holds(spans, c) {
				held[len(held)-1] = '1'
			}
		}
		return string(held)
	})
	for i := range 8 {
		held := fmt.Sprintf("%03b", i)
		c := table[held]
		t.Logf("%s: %d of %d failed", held, c.failed, c.total)
		if c.total < 30 {
			t.Errorf("cell %s has %d requests, want at least 30", held, c.total)
		}
		switch risk := c.risk(); {
		case held == "111" && risk < 0.6:
			t.Errorf("with all three %d of %d failed, want at least 60 %%", c.failed, c.total)
		case held != "111" && risk > 0.06:
			t.Errorf("cell %s: %d of %d failed, want no more than background", held, c.failed, c.total)
		}
	}
	t.Run("telemetry", func(t *testing.T) { checkTelemetry(t, r) })
	t.Run("changes", func(t *testing.T) { checkChanges(t, r) })
}

// checkTelemetry checks what arrives of a story in which nothing is hidden.
func checkTelemetry(t *testing.T, r run) {
	if uint64(len(r.roots)) != r.stats.Requests {
		t.Errorf("%d requests arrived as traces, customers sent %d", len(r.roots), r.stats.Requests)
	}
	failed, orphans := uint64(0), 0
	routes, services := make(map[string]bool), make(map[string]bool)
	for _, spans := range r.traces {
		for _, s := range spans {
			services[s.service] = true
			if s.parent.IsEmpty() {
				if s.failed {
					failed++
				}
				routes[s.name] = s.service == "gateway" && s.attributes["http.route"] == strings.Fields(s.name)[1]
			} else if !slices.ContainsFunc(spans, func(p span) bool { return p.id == s.parent }) {
				orphans++
			}
			if s.version == "" || s.instance == "" {
				t.Fatalf("span %s of %s: version %q, instance %q", s.name, s.service, s.version, s.instance)
			}
		}
	}
	if failed != r.stats.Failures {
		t.Errorf("%d traces failed, customers saw %d failures", failed, r.stats.Failures)
	}
	if orphans > 0 {
		t.Errorf("%d spans have a parent that never came", orphans)
	}
	for _, route := range []string{"GET /products", "GET /cart", "POST /quote", "POST /checkout"} {
		if !routes[route] {
			t.Errorf("no entry %q with its http.route at the gateway; got %v", route, routes)
		}
	}
	for _, service := range []string{"gateway", "cart", "pricing", "inventory", "payments"} {
		if !services[service] {
			t.Errorf("service %s sent no span", service)
		}
	}
	if r.logs["cart"] == 0 || r.logs["gateway"] == 0 || r.events["feature_flag.evaluation"] == 0 {
		t.Errorf("logs with a trace %v, events %v: want some of cart, gateway, and flag evaluations", r.logs, r.events)
	}
	for _, name := range []string{"db.client.connection.count", "db.client.connection.max"} {
		if !slices.Contains(r.metrics[name], "payments") {
			t.Errorf("metric %s did not come from payments", name)
		}
	}
	if r.stats.LostChanges > 0 {
		t.Errorf("%d changes were lost with an endpoint that takes everything", r.stats.LostChanges)
	}
}

// checkChanges checks which changes the twist reports.
func checkChanges(t *testing.T, r run) {
	r.changes.mu.Lock()
	defer r.changes.mu.Unlock()
	var got []string
	for i, body := range r.changes.bodies {
		if r.changes.types[i] == "application/cloudevents+json" {
			got = append(got, fmt.Sprint(body["type"], " ", body["subject"]))
			continue
		}
		got = append(got, fmt.Sprint(body["kind"], " ", body["entity"], " ", body["dimension"], " ", body["value"]))
	}
	want := []string{
		"dev.cdevents.service.upgraded.0.2.0 cart",
		"schedule orders-db nightly-backup running",
		"flag pricing flag bulk-quote on",
		"schedule orders-db nightly-backup <nil>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes reported:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range []string{"cart 1.9.0 -> 2.0.0 on cart-", "(2 of 4)", "flag bulk-quote of pricing", "nightly-backup finished"} {
		if !strings.Contains(r.transcript, line) {
			t.Errorf("transcript lacks %q:\n%s", line, r.transcript)
		}
	}
}

func TestOneVersionFailsBesideHarmlessChanges(t *testing.T) {
	t.Parallel()
	r := play(t, "single", 2, 500)
	truth := truthOf(t, "single")
	table := r.cells(func(spans []span) string {
		switch {
		case !slices.ContainsFunc(spans, func(s span) bool { return s.service == "payments" }):
			return "elsewhere"
		case holds(spans, truth.Conditions[0]):
			return "new"
		}
		return "old"
	})
	t.Logf("%v", table)
	if c := table["new"]; c.total < 60 || c.risk() < 0.3 || c.risk() > 0.7 {
		t.Errorf("with %v %d of %d failed, want about half of at least 60", truth.Conditions[0], c.failed, c.total)
	}
	for _, other := range []string{"old", "elsewhere"} {
		if c := table[other]; c.total < 30 || c.risk() > 0.06 {
			t.Errorf("%s: %d of %d failed, want background of at least 30", other, c.failed, c.total)
		}
	}
	both := r.cells(func(spans []span) string {
		var versions []string
		for _, s := range spans {
			if s.service == "inventory" && !slices.Contains(versions, s.version) {
				versions = append(versions, s.version)
			}
		}
		return strings.Join(versions, "+")
	})
	if both["4.2.0"].total == 0 || both["4.3.0"].total == 0 {
		t.Errorf("inventory's harmless deploy did not happen: %v", both)
	}
}

func TestNothingOnRecordGoesWithTheFailures(t *testing.T) {
	t.Parallel()
	r := play(t, "unclear", 3, 600)
	if truth := truthOf(t, "unclear"); truth.Verdict != interaction.NoExplanation || len(truth.Conditions) > 0 {
		t.Errorf("truth is %+v, want no explanation", truth)
	}
	var all cell
	entries := r.cells(func(spans []span) string {
		for _, s := range spans {
			if s.parent.IsEmpty() {
				return s.name
			}
		}
		return ""
	})
	for _, c := range entries {
		all.total, all.failed = all.total+c.total, all.failed+c.failed
	}
	if all.risk() < 0.05 || all.risk() > 0.3 {
		t.Errorf("%d of %d failed, want 5 to 30 %%", all.failed, all.total)
	}
	carts := r.cells(func(spans []span) string {
		for _, s := range spans {
			if s.service == "cart" {
				return s.version
			}
		}
		return ""
	})
	for name, c := range map[string]cell{"checkout": entries["POST /checkout"], "cart": entries["GET /cart"], "cart 1.9.0": carts["1.9.0"], "cart 2.0.0": carts["2.0.0"]} {
		if c.total < 40 || c.risk() < all.risk()/3 || c.risk() > all.risk()*2 {
			t.Errorf("%s: %d of %d failed, want about the %.2f of all", name, c.failed, c.total, all.risk())
		}
	}
	for _, spans := range r.traces {
		for _, s := range spans {
			if s.service == "inventory" || s.service == "pricing" && s.version != "" || len(s.flags) > 0 {
				t.Fatalf("on record although it should not be: %+v", s)
			}
			for key, value := range s.attributes {
				if strings.Contains(fmt.Sprint(value), "sku-") {
					t.Fatalf("span %s of %s gives the hidden condition away: %s=%v", s.name, s.service, key, value)
				}
			}
		}
	}
	if r.events["feature_flag.evaluation"] > 0 {
		t.Errorf("%d flag evaluations were told", r.events["feature_flag.evaluation"])
	}
}

func truthOf(t *testing.T, name string) demo.Truth {
	t.Helper()
	for _, s := range demo.Stories() {
		if s.Name == name {
			if !slices.IsSortedFunc(s.Truth.Conditions, condition.Compare) {
				t.Errorf("truth of %s is not sorted: %v", name, s.Truth.Conditions)
			}
			return s.Truth
		}
	}
	t.Fatalf("no story %q", name)
	return demo.Truth{}
}

func TestShopServesAndClosesWithoutEddy(t *testing.T) {
	t.Parallel()
	var transcript bytes.Buffer
	shop, err := demo.Start(t.Context(), demo.Config{
		Seed: 4, Rate: 100, Pace: 10 * time.Millisecond, Log: &transcript,
		// The discard port: nothing listens there.
		OTLPEndpoint: "127.0.0.1:9", ChangesURL: "http://127.0.0.1:9/api/v1/changes",
	})
	if err != nil {
		t.Fatal(err)
	}
	<-shop.Trouble()
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := shop.Close(limit); err != nil {
		t.Fatalf("Close = %v", err)
	}
	if got := shop.Stats(); got.Requests == 0 || got.LostExports == 0 {
		t.Errorf("stats %+v, want requests that were served and exports that were lost", got)
	}
	if err := shop.Close(limit); err != nil {
		t.Errorf("second Close = %v", err)
	}
}

func TestEndOfContextClosesTheShop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := newCollector(t)
	shop, err := demo.Start(ctx, demo.Config{Story: "unclear", OTLPEndpoint: c.endpoint})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := shop.Wait(); err != nil {
		t.Errorf("Wait = %v", err)
	}
}

func TestWrongConfigIsRefused(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]demo.Config{
		`story "twits": want one of twist, single, unclear`: {Story: "twits", OTLPEndpoint: "127.0.0.1:9"},
		"OTLPEndpoint is empty":                             {},
		"Rate -1":                                           {Rate: -1, OTLPEndpoint: "127.0.0.1:9"},
		"Pace -1s":                                          {Pace: -time.Second, OTLPEndpoint: "127.0.0.1:9"},
	} {
		shop, err := demo.Start(t.Context(), c)
		if err == nil {
			t.Errorf("Start(%+v) opened a shop", c)
			_ = shop.Close(t.Context())
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Start(%+v) = %q, want %q in it", c, err, want)
		}
	}
}
