// This benchmark stands inside the package to fill the window without spans.
package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
)

type nowhere struct{}

func (nowhere) Save(context.Context, Result) error { return nil }

// BenchmarkStep analyses a window of fifteen minutes at 50 requests a second:
// 45,000 observations of about 40 conditions out of 600, in which three of
// them do harm together.
func BenchmarkStep(b *testing.B) {
	p := New(Config{}, nowhere{}, slog.New(slog.DiscardHandler))
	r := rand.New(rand.NewPCG(1, 2))
	entry := request.Entry{Service: "gateway", Operation: "POST /checkout"}
	now := start.Add(15 * time.Minute)
	// Forty dimensions: ten with two values, twenty with ten, ten with forty.
	values := slices.Concat(slices.Repeat([]int{2}, 10), slices.Repeat([]int{10}, 20), slices.Repeat([]int{40}, 10))
	ids := make([][]condition.ID, len(values))
	for d, n := range values {
		for v := range n {
			id, _ := p.dictionary.ID(condition.Condition{Entity: fmt.Sprintf("service-%d", d%8), Dimension: fmt.Sprintf("dimension-%d", d), Value: fmt.Sprint(v)})
			ids[d] = append(ids[d], id)
		}
	}
	for i := range 45_000 {
		o := condition.Observation{Entry: entry, Time: start.Add(time.Duration(i) * 20 * time.Millisecond), Weight: 1}
		binary.LittleEndian.PutUint64(o.Request.Trace[8:], r.Uint64())
		harm := true
		for d, n := range values {
			v := r.IntN(n)
			harm = harm && (d >= 3 || v == 0)
			o.Conditions = append(o.Conditions, ids[d][v])
		}
		slices.Sort(o.Conditions)
		if r.IntN(300) == 0 || harm && i > 30_000 && r.IntN(10) < 7 {
			o.Outcome = request.Failed
		}
		p.window.add(now, o)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Step(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
	if got := p.Incidents(); len(got) != 1 || len(got[0].Finding.Conditions) != 3 {
		b.Fatalf("the step found %+v, want the three conditions", got)
	}
}
