package phase_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/phase/wire"
)

// A subject that no confirm has named was not announced yet by then, so that its
// first news replaces a belief like any other, and shares its age.
func TestTheFirstNewsOfASubjectIsBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		far := newWire(f)
		w := watch(t, far.client(t, "router"))
		<-time.After(time.Second) // the stream is open, and a confirm was answered 100 ms ago
		far.lose(func(r *http.Request) bool { return r.URL.Path == wire.PathConfirm })
		active(t, f.client(t, "pod"))
		<-time.After(time.Millisecond)
		v := w.Get(pod.Key)
		if v.Phase != "ACTIVE" || v.Epoch != 1 || v.Age < 50*time.Millisecond {
			t.Errorf("%s, %s old: want ACTIVE at epoch 1, no younger than the last confirm", v, v.Age)
		}
		<-time.After(900 * time.Millisecond)
		if v := w.Get(pod.Key); v.Known {
			t.Errorf("%s, want it to end with the confirm that it rests on", v)
		}
	})
}

// What began while nothing was known of a subject may still arrive when its phase
// is known.
func TestWhatIsUnderWayToAStrangerDelaysTheAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		text := strings.Replace(string(contractText(t, "drain")), "unknown: {does: []}", `unknown: {does: [continue], accept: "a test"}`, 1)
		if _, err := f.mediator.AddContract(t.Context(), "drain", []byte(text), "test"); err != nil {
			t.Fatal(err)
		}
		w := watch(t, f.client(t, "router"))
		ticket, err := w.Begin(t.Context(), pod.Key, "continue")
		if err != nil {
			t.Fatal(err)
		}
		p := active(t, f.client(t, "pod"))
		time.AfterFunc(500*time.Millisecond, ticket.Done)
		if _, took := to(t, p, "DRAIN"); took < 450*time.Millisecond || took > 600*time.Millisecond {
			t.Errorf("DRAIN was announced after %s, want it to settle once the request of 500ms had ended", took)
		}
	})
}

func TestManyConsumersSpreadWhatTheyAcknowledge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others, watches, within = 400, 20, 105 * time.Millisecond // a quarter of a millisecond for each
		f := newFixture(t, "drain")
		for i := range others {
			q := wire.ConfirmRequest{Consumer: fmt.Sprint(i), Role: "router", Contract: "drain", Selector: "shop/*"}
			if _, err := f.mediator.Confirm(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		a := &acks{seen: make(map[*http.Request]bool)}
		far := newWire(f)
		far.lose(a.note)
		for i := range watches {
			watch(t, far.client(t, fmt.Sprint("router", i)))
		}
		<-time.After(700 * time.Millisecond)
		active(t, f.client(t, "pod"))
		began := time.Now()
		<-time.After(290 * time.Millisecond)
		first, last, n := a.after(began)
		if n != watches || last > within || last-first < within/5 {
			t.Errorf("%d acknowledged from %s to %s, want %d that share %s", n, first, last, watches, within)
		}
	})
}

// acks are the times at which something was acknowledged.
type acks struct {
	mu   sync.Mutex
	seen map[*http.Request]bool
	at   []time.Time
}

// note looks into a request on its way, and loses none.
func (a *acks) note(r *http.Request) bool {
	if r.URL.Path != wire.PathConfirm {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	var q wire.ConfirmRequest
	if text, err := io.ReadAll(body); err != nil || json.Unmarshal(text, &q) != nil || len(q.Acks) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.seen[r] { // the wire asks again for each part of the answer
		a.seen[r] = true
		a.at = append(a.at, time.Now())
	}
	return false
}

// after returns how long after began the first and the last came, and how many.
func (a *acks) after(began time.Time) (first, last time.Duration, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range a.at {
		switch d := at.Sub(began); {
		case d < 0:
		case n == 0:
			first, last, n = d, d, 1
		default:
			last, n = d, n+1
		}
	}
	return first, last, n
}
