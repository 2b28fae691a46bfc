// These tests stand inside the package because the window is not exported:
// what it keeps is seen from outside only as the weights of observations.
package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/request"
)

var start = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// observation number i happens within the first minute, at one of two entries.
func observation(i int, outcome request.Outcome) condition.Observation {
	o := condition.Observation{
		Time: start.Add(time.Duration(i%60) * time.Second), Outcome: outcome, Weight: 1,
		Entry: request.Entry{Service: "gateway", Operation: []string{"GET /", "POST /"}[i%2]},
	}
	r := rand.New(rand.NewPCG(uint64(i), 1))
	binary.LittleEndian.PutUint64(o.Request.Trace[8:], r.Uint64())
	return o
}

func TestWhatIsKeptDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []condition.Observation
		for i, bad := range rapid.SliceOfN(rapid.IntRange(0, 4), 1, 400).Draw(t, "outcomes") {
			outcome := request.OK
			if bad == 0 {
				outcome = request.Failed
			}
			list = append(list, observation(i, outcome))
		}
		shuffled := rapid.Permutation(list).Draw(t, "order")
		a, b := newWindow(time.Hour, 1_000_000), newWindow(time.Hour, 1_000_000)
		a.per, b.per = 8, 8
		for i := range list {
			a.add(start.Add(time.Minute), list[i])
			b.add(start.Add(time.Minute), shuffled[i])
		}
		if x, y := a.observations(), b.observations(); !reflect.DeepEqual(x, y) {
			t.Fatalf("kept %d and %d observations, want the same ones", len(x), len(y))
		}
		if x, y := a.totals(), b.totals(); !reflect.DeepEqual(x, y) {
			t.Fatalf("totals differ: %v and %v", x, y)
		}
	})
}

func TestTheWindowStaysWithinItsBoundAndItsTotalsStayExact(t *testing.T) {
	const n, bound = 50_000, 2_000
	w := newWindow(time.Hour, bound)
	for i := range n {
		outcome := request.OK
		if i%10 == 0 {
			outcome = request.Failed
		}
		w.add(start.Add(time.Minute), observation(i, outcome))
		if w.ok+w.bad > bound+2*w.per {
			t.Fatalf("after %d observations %d are kept, over the bound of %d", i+1, w.ok+w.bad, bound)
		}
	}
	requests, failed := 0, 0
	for _, total := range w.totals() {
		requests += total.Requests
		failed += total.Failed
	}
	if requests != n || failed != n/10 {
		t.Errorf("totals say %d requests, %d failed; want %d and %d", requests, failed, n, n/10)
	}
	kept := w.observations()
	var bad, weighted float64
	for _, o := range kept {
		if o.Outcome == request.Failed {
			bad++
		} else {
			weighted += o.Weight
		}
	}
	if risk := bad / (bad + weighted); math.Abs(risk-.1) > .015 {
		t.Errorf("the risk by weights is %.3f, want the true 0.1", risk)
	}
}

func TestWhatIsTooOldIsCountedAndLeftOut(t *testing.T) {
	w := newWindow(time.Minute, 1000)
	w.add(start.Add(2*time.Minute), observation(0, request.OK))
	if got := len(w.observations()); got != 0 || w.tooLate != 1 {
		t.Errorf("kept %d, too late %d; want 0 and 1", got, w.tooLate)
	}
	w.add(start.Add(30*time.Second), observation(1, request.OK))
	w.trim(start.Add(3 * time.Minute))
	if got := len(w.observations()); got != 0 || w.ok+w.bad != 0 {
		t.Errorf("after its time an observation is still kept (%d, count %d)", got, w.ok+w.bad)
	}
}

func TestManyEntriesStayWithinTheBoundToo(t *testing.T) {
	const bound = 2_000
	w := newWindow(time.Hour, bound)
	for i := range 50_000 {
		o := observation(i, request.OK)
		o.Entry.Operation = fmt.Sprintf("GET /%d", i%300)
		w.add(start.Add(time.Minute), o)
		if w.ok+w.bad > 2*bound || w.cells > bound {
			t.Fatalf("after %d observations at 300 entries %d are kept in %d cells, far over the bound of %d", i+1, w.ok+w.bad, w.cells, bound)
		}
	}
	requests := 0
	for _, total := range w.totals() {
		requests += total.Requests
	}
	if requests+int(w.crowded) != 50_000 {
		t.Errorf("totals say %d requests and %d were left out, want 50,000 together", requests, w.crowded)
	}
	w.trim(start.Add(2 * time.Hour))
	if w.ok != 0 || w.cells != 0 {
		t.Errorf("after its time the window holds %d observations in %d cells, want none", w.ok, w.cells)
	}
}

func TestWhatIsFarAheadIsCountedAndLeftOut(t *testing.T) {
	w := newWindow(time.Minute, 1000)
	w.add(start.Add(-time.Hour), observation(0, request.OK))
	if got := len(w.observations()); got != 0 || w.tooLate != 1 {
		t.Errorf("of a request an hour ahead kept %d, left out %d; want 0 and 1", got, w.tooLate)
	}
}
