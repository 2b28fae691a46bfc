package interaction_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/interaction"
)

// standing makes five minutes of traffic in which one kind of device has always
// failed more, and bitrate 4000 fails with cdn b from the last minute on.
func standing(seed uint64, harm float64) interaction.Table {
	w := newWorld(seed)
	for i := range 20_000 {
		at := 5 * time.Minute * time.Duration(i) / 20_000
		device := []string{"tv", "phone"}[w.rng.IntN(2)]
		cdn := []string{"a", "b", "c"}[w.rng.IntN(3)]
		bitrate := []string{"1000", "4000"}[w.rng.IntN(2)]
		p := 0.01
		if device == "tv" {
			p = 0.1
		}
		if cdn == "b" && bitrate == "4000" && at >= 4*time.Minute {
			p += harm
		}
		w.add(at, w.chance(p), "device="+device, "cdn="+cdn, "bitrate="+bitrate, fmt.Sprintf("isp=%d", w.rng.IntN(6)))
	}
	return w.done()
}

func since() interaction.Options {
	return interaction.Options{Location: []string{}, Since: start().Add(4 * time.Minute)}
}

func TestWhatHasAlwaysDifferedIsNoCauseOfAChange(t *testing.T) {
	for seed := range uint64(4) {
		table := standing(seed, 0.2)
		r := mine(t, table, since())
		want := []string{"bitrate=4000", "cdn=b"}
		if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), want) || r.Verdict != interaction.Interact {
			t.Errorf("seed %d: want only %v, got %s", seed, want, describe(r))
		}
		if len(r.Rivals) == 0 || r.Rivals[0].Expected <= 0 {
			t.Errorf("seed %d: want rivals with what was expected of them, got %+v", seed, r.Rivals)
		}
		if said := strings.Join(r.Findings[0].For, " "); !strings.Contains(said, "Before 2026-03-01T12:04:00Z, ") {
			t.Errorf("seed %d: want it said what was before, got %s", seed, said)
		}
		// Without a time of change, the device is what tells most.
		whole := since()
		whole.Since = time.Time{}
		if r := mine(t, table, whole); len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"device=tv"}) {
			t.Errorf("seed %d: want the device first of all five minutes, got %s", seed, describe(r))
		}
	}
}

func TestNothingChangedIsNothingFound(t *testing.T) {
	alarms := 0
	for seed := range uint64(40) {
		if r := mine(t, standing(seed, 0), since()); len(r.Findings) > 0 {
			alarms++
			t.Logf("seed %d: %s", seed, describe(r))
		}
	}
	// At 5 % each, 40 tables exceed 6 in 1 of 200 such tests.
	if alarms > 6 {
		t.Errorf("%d of 40 tables in which nothing changed have a finding", alarms)
	}
}

func TestAChangeNeedsWhatWasBefore(t *testing.T) {
	table := standing(1, 0.2)
	o := since()
	o.Since = start()
	r := mine(t, table, o)
	if r.Verdict != interaction.NoExplanation || !strings.Contains(strings.Join(r.Missing, " "), "Nothing is on record from before") {
		t.Errorf("want it said that there is no history, got %s", describe(r))
	}
	for i := range table.Rows {
		table.Rows[i].Time = time.Time{}
	}
	if _, err := interaction.Mine(t.Context(), table, o); err == nil || !strings.Contains(err.Error(), "since") {
		t.Errorf("error %v, want one that says that the rows have no times", err)
	}
	if _, err := interaction.NewWindow(o, time.Second); err == nil || !strings.Contains(err.Error(), "since") {
		t.Errorf("a window: error %v, want one about since", err)
	}
}

func TestHistoryIsThatOfTheSetWhereCombinationsAreTooFine(t *testing.T) {
	w := newWorld(3)
	for i := range 20_000 {
		at := 5 * time.Minute * time.Duration(i) / 20_000
		cs := make([]string, 14)
		for c := range cs {
			cs[c] = fmt.Sprintf("c%d=%d", c, w.rng.IntN(4))
		}
		p := 0.01
		if slices.Contains(cs, "c0=1") {
			p = 0.08
		}
		if at >= 4*time.Minute && slices.Contains(cs, "c1=2") && slices.Contains(cs, "c2=3") {
			p += 0.4
		}
		w.add(at, w.chance(p), cs...)
	}
	r := mine(t, w.done(), since())
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"c1=2", "c2=3"}) {
		t.Errorf("want only what changed, got %s", describe(r))
	}
}
