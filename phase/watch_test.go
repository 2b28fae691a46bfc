package phase_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

func TestABeliefEndsWithoutConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		active(t, f.client(t, "pod"))
		far := newWire(f)
		w := watch(t, far.client(t, "router"))
		if v, ok := w.Can(pod.Key, "new_request"); !ok || !v.Known {
			t.Fatalf("%s, %v, want to know ACTIVE", v, ok)
		}
		// Only news comes through, which does not make a belief younger.
		far.lose(func(r *http.Request) bool { return r.URL.Path == wire.PathConfirm })
		<-time.After(899 * time.Millisecond)
		if v := w.Get(pod.Key); !v.Known {
			t.Errorf("after 899ms: %s, want the belief to last its 900ms", v)
		}
		<-time.After(302 * time.Millisecond)
		if v := w.Get(pod.Key); v.Known || v.Last != "ACTIVE" {
			t.Errorf("after 1.2s: %s, want it to be unknown and ACTIVE to be remembered", v)
		}
	})
}

func TestNewsShortensTheWay(t *testing.T) {
	for _, tt := range []struct {
		name string
		news bool
		most time.Duration
	}{{"news", true, 100 * time.Millisecond}, {"lost", false, 400 * time.Millisecond}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, "drain")
				p := active(t, f.client(t, "pod"))
				far := newWire(f)
				far.lose(func(r *http.Request) bool { return !tt.news && r.URL.Path == wire.PathWatch })
				w := watch(t, far.client(t, "router"))
				<-time.After(time.Second)
				began := time.Now()
				var announcing sync.WaitGroup
				announcing.Go(func() { to(t, p, "DRAIN") })
				defer announcing.Wait()
				for _, v := range w.Updates() {
					if v.Phase == "DRAIN" {
						break
					}
				}
				if took := time.Since(began); took > tt.most {
					t.Errorf("believed after %s, want at most %s", took, tt.most)
				}
			})
		})
	}
}

// When most subjects are unknown it is the channel that is broken, and a router
// that stopped then would be the outage.
func TestARouterPanicsInsteadOfStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		active(t, f.client(t, "pod"))
		far := newWire(f)
		w := watch(t, far.client(t, "router"))
		far.lose(func(*http.Request) bool { return true })
		<-time.After(time.Minute)
		v, ok := w.Can(pod.Key, "new_request")
		if !ok || !v.Panic || v.Known {
			t.Errorf("%+v, %v, want the last known phase to be used in panic", v, ok)
		}
		if allowed := w.Allowed("new_request"); len(allowed) != 1 {
			t.Errorf("%v are allowed, want one", allowed)
		}
		far.lose(nil)
		<-time.After(time.Second)
		if v, ok := w.Can(pod.Key, "new_request"); !ok || v.Panic || !v.Known {
			t.Errorf("%+v, %v, want a belief again", v, ok)
		}
	})
}

func TestWhatASubjectSaysMakesABeliefStricterNeverLaxer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		active(t, f.client(t, "pod"))
		far := newWire(f)
		w := watch(t, far.client(t, "router"))
		said := "p=DRAIN;e=2"
		client := &http.Client{Transport: w.Transport(&direct{handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set(phase.HeaderActual, said)
		})}, "new_request", func(*http.Request) string { return pod.Key })}
		far.lose(func(*http.Request) bool { return true })
		response, err := client.Get("http://cart.test/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if v, ok := w.Can(pod.Key, "new_request"); ok {
			t.Errorf("%s is still used although it said that it drains", v)
		}
		if v := w.Get(pod.Key); v.Phase != "ACTIVE" {
			t.Errorf("%s is believed on the word of the subject", v)
		}
	})
}

// What one watch has acknowledged says nothing about another of the same process.
func TestTwoWatchesOfOneProcessAreTwoConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		c := f.client(t, "router")
		idle, busy := watch(t, c), watch(t, c)
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		ticket, err := busy.Begin(t.Context(), pod.Key, "continue")
		if err != nil {
			t.Fatal(err)
		}
		defer ticket.Done()
		if r, _ := to(t, p, "SHUTDOWN"); r.Cause != "bound" || len(r.Missing) != 1 {
			t.Errorf("SHUTDOWN came by %s with %v missing, want that the busy watch is waited for", r.Cause, r.Missing)
		}
		if err := idle.Close(); err != nil {
			t.Error(err)
		}
		if _, ok := idle.Can(pod.Key, "continue"); ok {
			t.Error("a watch that was closed still allows something")
		}
	})
}

func TestTheHighestEpochOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "drain")
		p := active(t, f.client(t, "pod"))
		dir := t.TempDir()
		first := f.clientWith(t, phase.Config{Identity: "router", StateDir: dir})
		watch(t, first)
		to(t, p, "DRAIN")
		<-time.After(time.Second)
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		// The next process finds a mediator that cannot be reached.
		far := newWire(f)
		second := far.clientWith(t, phase.Config{Identity: "router", StateDir: dir})
		if _, err := second.Contract(t.Context(), "drain"); err != nil {
			t.Fatal(err)
		}
		far.lose(func(r *http.Request) bool { return r.URL.Path != wire.PathConfirm })
		w := watch(t, second)
		if v := w.Get(pod.Key); v.Epoch != 2 || v.Last != "DRAIN" {
			t.Errorf("%s, want epoch 2 to be remembered", v)
		}
	})
}
