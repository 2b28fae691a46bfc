package interaction_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A world makes tables with a known cause.
type world struct {
	rng   *rand.Rand
	dict  *condition.Dictionary
	table interaction.Table
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 7)), dict: condition.NewDictionary(0)}
}

// start is when all worlds begin.
func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// add appends a request that was made after the given time.
func (w *world) add(after time.Duration, failed bool, conditions ...string) {
	ids := make([]condition.ID, 0, len(conditions))
	for _, c := range conditions {
		id, _ := w.dict.ID(parse(c))
		ids = append(ids, id)
	}
	slices.Sort(ids)
	r := interaction.Row{Time: start().Add(after), Total: 1, Conditions: slices.Compact(ids)}
	if failed {
		r.Failed = 1
	}
	binary.BigEndian.PutUint64(r.Trace[:8], w.rng.Uint64())
	w.table.Rows = append(w.table.Rows, r)
}

func (w *world) done() interaction.Table {
	w.table.Conditions = w.dict.All()
	return w.table
}

// chance is true with probability p.
func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

// parse reads "entity: dimension=value" or "dimension=value".
func parse(s string) condition.Condition {
	var c condition.Condition
	if entity, rest, ok := strings.Cut(s, ": "); ok {
		c.Entity, s = entity, rest
	}
	c.Dimension, c.Value, _ = strings.Cut(s, "=")
	return c
}

// names lists the conditions of a finding.
func names(f interaction.Finding) []string {
	var out []string
	for _, c := range f.Conditions {
		out = append(out, c.String())
	}
	return out
}

func mine(t *testing.T, table interaction.Table, o interaction.Options) interaction.Result {
	t.Helper()
	r, err := interaction.Mine(t.Context(), table, o)
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	return r
}

// describe says what a result found, for the log of a failure.
func describe(r interaction.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows, %d failed, explained %.2f", r.Verdict, r.Rows, r.Failed, r.Explained)
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %d %s %s %v p=%.2g excess=%.1f coverage=%.2f", f.Rank, f.Verdict, f.Grade, names(f), f.P, f.Excess, f.Coverage)
		for _, a := range f.Aliases {
			fmt.Fprintf(&b, "\n     alias %s of %s (%d)", a.Condition, a.Of, a.Discordant)
		}
		for _, c := range f.Cells {
			fmt.Fprintf(&b, "\n     %v %d/%d %.4f", c.Holds, c.Failed, c.Total, c.Risk)
		}
		for _, s := range slices.Concat(f.For, f.Against, f.Missing) {
			fmt.Fprintf(&b, "\n     %s", s)
		}
	}
	for _, s := range r.Missing {
		fmt.Fprintf(&b, "\n  %s", s)
	}
	for _, c := range r.Coincident {
		fmt.Fprintf(&b, "\n  coincident %s", c)
	}
	return b.String()
}

// A shop is the demo's traffic: five services, some in several versions and
// instances, flags, tenants, and states that come and go.
type shop struct {
	requests int
	lasts    time.Duration
	flags    float64 // share with the flag on
	// risk of a request, given its conditions and entry
	risk func(entry string, has func(string) bool) float64
}

func (s shop) run(seed uint64) interaction.Table {
	w := newWorld(seed)
	entries := []string{"POST /checkout", "GET /cart", "GET /products", "POST /login"}
	base := map[string]float64{"POST /checkout": 0.004, "GET /cart": 0.002, "GET /products": 0.001, "POST /login": 0.008}
	for i := range s.requests {
		at := s.lasts * time.Duration(i) / time.Duration(s.requests)
		entry := entries[min(w.rng.IntN(5), 3)]
		if w.chance(0.4) {
			entry = "POST /checkout"
		}
		cs := []string{"entry=" + entry, fmt.Sprintf("tenant=t%d", w.rng.IntN(8)), "gateway: service.version=1.0"}
		pick := func(service string, versions []string, instances int) {
			k := w.rng.IntN(len(versions) * instances)
			cs = append(cs, service+": service.version="+versions[k/instances],
				fmt.Sprintf("%s: service.instance.id=%s-%d", service, service, k))
		}
		if at > s.lasts/3 {
			cs = append(cs, "inventory: service.version=4.1") // deployed to all at once
		} else {
			cs = append(cs, "inventory: service.version=4.0")
		}
		if entry == "POST /checkout" || entry == "GET /cart" {
			pick("cart", []string{"1.9", "2.0"}, 2)
			pick("pricing", []string{"1.8", "2.0"}, 2)
			cs = append(cs, fmt.Sprintf("pricing: flag bulk-quote=%v", onOff(w.chance(s.flags))))
		}
		if entry == "POST /checkout" {
			k := w.rng.IntN(3)
			cs = append(cs, "payments: service.version="+[]string{"3.1.0", "3.1.0", "3.0.0"}[k],
				fmt.Sprintf("payments: service.instance.id=payments-%d", k))
			if at > s.lasts/2 {
				cs = append(cs, "orders-db: backup=running")
			}
		}
		if at > s.lasts*2/5 && at < s.lasts*4/5 {
			cs = append(cs, "payments: rollout=in progress")
		}
		p := max(base[entry], s.risk(entry, func(c string) bool { return slices.Contains(cs, c) }))
		w.add(at, w.chance(p), cs...)
	}
	return w.done()
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
