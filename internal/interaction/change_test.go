package interaction_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
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

// even makes ten minutes of traffic in which one request in twenty fails, whatever
// its conditions; some add to that from the given share of the time on.
func even(seed uint64, attributes, values int, from, harm float64) interaction.Table {
	w := newWorld(seed)
	const n = 10_000
	for i := range n {
		cs := make([]string, attributes)
		for c := range cs {
			cs[c] = fmt.Sprintf("c%d=%d", c, w.rng.IntN(values))
		}
		p := 0.05
		if float64(i) >= from*n && cs[0] == "c0=1" && cs[1] == "c1=2" {
			p += harm
		}
		w.add(10*time.Minute*time.Duration(i)/n, w.chance(p), cs...)
	}
	return w.done()
}

func TestWhatWasBeforeIsNoMoreThanASample(t *testing.T) {
	for _, c := range []struct {
		attributes, values int
		before             float64
	}{{4, 3, 0.2}, {8, 4, 0.5}} {
		o := since()
		o.Since = start().Add(time.Duration(c.before * float64(10*time.Minute)))
		alarms, found := 0, 0
		for seed := range uint64(6) {
			r := mine(t, even(seed, c.attributes, c.values, c.before, 0), o)
			if len(r.Findings) > 0 {
				alarms++
				t.Logf("%+v, seed %d: %s", c, seed, describe(r))
			} else if said := strings.Join(r.Missing, " "); !strings.Contains(said, "whose risk rose by") {
				t.Errorf("%+v, seed %d: want it said what would have been seen, got %q", c, seed, said)
			}
			r = mine(t, even(seed, c.attributes, c.values, c.before, 0.25), o)
			if len(r.Findings) > 0 && slices.Equal(names(r.Findings[0]), []string{"c0=1", "c1=2"}) {
				found++
			}
		}
		if alarms > 2 {
			t.Errorf("%+v: %d of 6 tables in which nothing changed have a finding", c, alarms)
		}
		if found < 5 {
			t.Errorf("%+v: %d of 6 changes are found", c, found)
		}
	}
}

func TestARiseThatIsSaidToBeSeenIsSeen(t *testing.T) {
	o := since()
	o.Since, o.MaxOrder = start().Add(5*time.Minute), 1
	build := func(rise float64) interaction.Table {
		w := newWorld(8)
		const n = 20_000
		for i := range n {
			p := 0.05
			if i >= n/2 && i%10 == 0 {
				p += rise
			}
			// So many of every ten thousand fail, no more and no less.
			w.add(10*time.Minute*time.Duration(i)/n, float64((i/10*7919)%1000) < 1000*p, "a="+onOff(i%10 == 0), fmt.Sprintf("b=%d", i%7))
		}
		return w.done()
	}
	said := regexp.MustCompile(`10% of requests whose risk rose by ([0-9.]+)% or more, from 5% before`).FindStringSubmatch(strings.Join(mine(t, build(0), o).Missing, " "))
	if said == nil {
		t.Fatalf("want it said which rise would be seen, got %s", describe(mine(t, build(0), o)))
	}
	rise, err := strconv.ParseFloat(said[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if r := mine(t, build(1.3*rise/100), o); len(r.Findings) != 1 {
		t.Errorf("a rise by more than %v%% is not seen: %s", rise, describe(r))
	}
	if r := mine(t, build(0.7*rise/100), o); len(r.Findings) != 0 {
		t.Errorf("a rise by less than %v%% is seen: %s", rise, describe(r))
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

func TestWhatWasSetAsideCountsInAChangeToo(t *testing.T) {
	table := even(3, 4, 3, 0.5, 0.15)
	o := since()
	o.Since = start().Add(5 * time.Minute)
	all := mine(t, table, o)
	for i := range 40 {
		for range 25 {
			table.Unlisted = append(table.Unlisted, interaction.Unlisted{Name: fmt.Sprintf("x%d", i), Total: 500})
		}
	}
	held := mine(t, table, o)
	if len(all.Findings) == 0 || len(held.Findings) == 0 || !slices.Equal(names(all.Findings[0]), names(held.Findings[0])) {
		t.Fatalf("want the same finding in both, got %s and %s", describe(all), describe(held))
	}
	// Sets of two of 12 conditions, and of as many and a thousand more.
	if factor := held.Findings[0].P / all.Findings[0].P; factor < 1000 || factor > 1e5 {
		t.Errorf("p grew by a factor of %g, want as many as there are more pairs", factor)
	}
	quiet := even(3, 4, 3, 0.5, 0)
	for i := range quiet.Rows {
		quiet.Rows[i].Conditions = nil // all of which were set aside
	}
	quiet.Conditions, quiet.Unlisted = nil, table.Unlisted
	if r := mine(t, quiet, o); strings.Contains(strings.Join(r.Missing, " "), "No condition differs") {
		t.Errorf("want nothing said of conditions that were not recorded, got %q", r.Missing)
	}
}
