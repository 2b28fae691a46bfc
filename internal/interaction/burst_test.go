package interaction_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// bursts makes ten minutes of traffic in which every failure is part of a burst:
// of so many requests of one tenant that follow each other.
func bursts(seed uint64, count, size int) interaction.Table {
	w := newWorld(seed)
	const rows = 12_000
	failing := make(map[int]bool)
	for range count {
		from := w.rng.IntN(rows - 40*size)
		for k := range size {
			failing[from+20*k] = true
		}
	}
	for i := range rows {
		// Every twentieth request is of the same tenant.
		w.add(10*time.Minute*time.Duration(i)/rows, failing[i], fmt.Sprintf("tenant=t%d", i%20),
			fmt.Sprintf("zone=%d", w.rng.IntN(3)), fmt.Sprintf("flag x=%v", w.rng.IntN(2) == 0))
	}
	return w.done()
}

func TestBurstsOfATenantAreNoCause(t *testing.T) {
	alarms := 0
	for seed := range uint64(60) {
		size := []int{8, 8, 3, 2}[seed%4]
		if r := mine(t, bursts(seed, (12+int(seed)%30)*8/size, size), interaction.Options{}); len(r.Findings) > 0 {
			alarms++
			t.Logf("seed %d: %s", seed, describe(r))
		}
	}
	// At 5 % each, 60 tables exceed 7 in 1 of 100 such tests.
	if alarms > 7 {
		t.Errorf("%d of 60 tables of bursts have a finding", alarms)
	}
}

func TestATenantThatRetriedForAWhileIsNoCause(t *testing.T) {
	// Eight of its requests within forty seconds or little more, and no others; of those of
	// other tenants one in two hundred fails.
	alarms := 0
	for seed := range uint64(40) {
		w := newWorld(seed)
		const rows, tenants = 12_000, 60
		from, left := 2000+w.rng.IntN(8000), 8
		for i := range rows {
			failed := w.chance(0.005)
			if i%tenants == 0 {
				if failed = i >= from && left > 0 && w.chance(0.6); failed {
					left--
				}
			}
			w.add(10*time.Minute*time.Duration(i)/rows, failed, fmt.Sprintf("tenant=t%d", i%tenants),
				fmt.Sprintf("zone=%d", w.rng.IntN(3)), fmt.Sprintf("flag x=%v", w.chance(0.5)))
		}
		if r := mine(t, w.done(), interaction.Options{}); len(r.Findings) > 0 {
			alarms++
			t.Logf("seed %d: %s", seed, describe(r))
		}
	}
	// At 5 % each, 40 tables exceed 6 in 1 of 100 such tests.
	if alarms > 6 {
		t.Errorf("%d of 40 tables in which one tenant retried have a finding", alarms)
	}
}

func TestACauseThatComesInTheMiddleIsNoBurst(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(seed)
		for i := range 12_000 {
			at := 10 * time.Minute * time.Duration(i) / 12_000
			version := w.rng.IntN(3)
			w.add(at, w.chance(0.003) || version == 2 && at > 9*time.Minute && w.chance(0.5),
				fmt.Sprintf("cart: service.version=%d", version), fmt.Sprintf("zone=%d", w.rng.IntN(3)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"cart service.version=2"}) {
			t.Errorf("seed %d: want the version, got %s", seed, describe(r))
		}
	}
}

func TestWhatFollowsFromAFailureComesLast(t *testing.T) {
	w := newWorld(1)
	for i := range 20_000 {
		attempt, bad := w.rng.IntN(12)/11, w.chance(0.02)
		p := 0.01
		switch {
		case bad:
			p = 0.3
		case attempt == 1:
			p = 0.15
		}
		w.add(10*time.Minute*time.Duration(i)/20_000, w.chance(p), fmt.Sprintf("attempt=%d", attempt), fmt.Sprintf("flag x=%v", bad))
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 2 || !slices.Equal(names(r.Findings[0]), []string{"flag x=true"}) || !slices.Equal(names(r.Findings[1]), []string{"attempt=1"}) {
		t.Fatalf("want the flag, then the retries, got %s", describe(r))
	}
	if r.Findings[1].Verdict != interaction.Proxy {
		t.Errorf("the retries are a %s, want a proxy", r.Findings[1].Verdict)
	}
	if said := strings.Join(r.Findings[1].Against, " "); !strings.Contains(said, "A failure brings about attempt") {
		t.Errorf("want it said that retries follow from failures, got %s", said)
	}
}

func TestWhatFollowsFromFailuresDoesNotStandForTheirCause(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(seed)
		for i := range 12_000 {
			cart, flag := w.rng.IntN(2), w.rng.IntN(2)
			failed := w.chance(0.003) || cart == 1 && flag == 1 && w.chance(0.1)
			attempt := "0"
			if failed && w.chance(0.9) || w.chance(0.01) {
				attempt = "1" // the row says that it was tried again
			}
			w.add(10*time.Minute*time.Duration(i)/12_000, failed, fmt.Sprintf("cart: service.version=%d", cart),
				fmt.Sprintf("flag x=%d", flag), "attempt="+attempt, fmt.Sprintf("zone=%d", w.rng.IntN(4)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"flag x=1", "cart service.version=1"}) {
			t.Errorf("seed %d: want the cart with the flag, got %s", seed, describe(r))
			continue
		}
		// Nothing was put aside before it that it explains.
		f := r.Findings[0]
		if f.Excess < 0.9*float64(f.Cells[0].Failed) {
			t.Errorf("seed %d: %v of %d failures are more than expected, want nearly all", seed, f.Excess, f.Cells[0].Failed)
		}
		for _, f := range r.Findings[1:] {
			if said := strings.Join(f.For, " "); !strings.Contains(said, "with what has the first finding put aside") {
				t.Errorf("seed %d: want it said that the second finding is about the rest, got %s", seed, said)
			}
		}
	}
}

func TestWhatFollowsFromFailuresExplainsNoneByItself(t *testing.T) {
	w := newWorld(2)
	for i := range 12_000 {
		attempt := w.rng.IntN(10) / 9
		w.add(10*time.Minute*time.Duration(i)/12_000, w.chance(0.005+0.1*float64(attempt)), fmt.Sprintf("attempt=%d", attempt), fmt.Sprintf("zone=%d", w.rng.IntN(4)))
	}
	r := mine(t, w.done(), interaction.Options{})
	if r.Verdict != interaction.NoExplanation || r.Explained > 0 || len(r.Findings) != 1 || r.Findings[0].Verdict != interaction.Proxy {
		t.Errorf("want no explanation, and the attempt as a proxy, got %s", describe(r))
	}
	if said := strings.Join(r.Missing, " "); strings.Contains(said, "accounts for") || !strings.Contains(said, "would be seen") {
		t.Errorf("want it said what would be seen, and not what was explained, got %q", said)
	}
}

func TestVersionsThatServedSideBySideForAWhileAreCompared(t *testing.T) {
	for seed := range uint64(4) {
		w := newWorld(seed)
		const n = 30_000
		for i := range n {
			at := 10 * time.Minute * time.Duration(i) / n
			// The four instances turn to the new version one by one, within a minute
			// and a half of ten minutes, while the risk of all rises.
			pod := w.rng.IntN(4)
			version := "1"
			if at > 4*time.Minute+time.Duration(pod)*25*time.Second {
				version = "2"
			}
			p := 0.003 + 0.004*float64(i)/n
			if version == "2" {
				p += 0.05
			}
			w.add(at, w.chance(p), "cart: service.version="+version, fmt.Sprintf("cart: service.instance.id=%d", pod), fmt.Sprintf("zone=%d", w.rng.IntN(3)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"cart service.version=2"}) {
			t.Errorf("seed %d: want the version, got %s", seed, describe(r))
		}
	}
}

func TestAnElementIsShownToBeNeededAlthoughFewLackItAtATime(t *testing.T) {
	// The tenant has one request in ten seconds and entry, and less: there is seldom
	// one with the phase and one without.
	for seed := range uint64(10) {
		w := newWorld(seed)
		const rows = 60_000
		for i := range rows {
			tenant, warm := w.rng.IntN(50), w.chance(0.5)
			w.add(10*time.Minute*time.Duration(i)/rows, w.chance(0.001) || tenant == 0 && warm && w.chance(0.04),
				fmt.Sprintf("entry=%d", w.rng.IntN(24)), fmt.Sprintf("tenant=t%d", tenant), fmt.Sprintf("cart: phase=warm-%v", warm),
				fmt.Sprintf("zone=%d", w.rng.IntN(3)), fmt.Sprintf("flag x=%v", w.chance(0.3)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"tenant=t0", "cart phase=warm-true"}) {
			t.Errorf("seed %d: want tenant and phase, got %s", seed, describe(r))
		}
	}
}
