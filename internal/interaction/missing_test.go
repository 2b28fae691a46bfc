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

func TestPartnersThatGoWithoutSayingAreNotMissed(t *testing.T) {
	w := newWorld(1)
	for range 4000 {
		load, a, vip := w.rng.IntN(1000), w.chance(0.4), w.chance(0.4)
		bad := a && load > 900
		cs := []string{fmt.Sprintf("a=%v", a), fmt.Sprintf("busy=%v", load > 850)}
		for _, limit := range []int{750, 900} {
			if load > limit {
				cs = append(cs, fmt.Sprintf("load=> %d", limit))
			}
		}
		// Where the failures are, everybody is a member, and so a guest of the club.
		if vip || bad {
			cs = append(cs, "member=yes", "club=yes")
		} else if w.chance(0.1) {
			cs = append(cs, "club=yes")
		}
		w.add(0, bad && w.chance(0.7) || w.chance(0.005), cs...)
	}
	table := w.done()
	for i := range table.Rows {
		table.Rows[i].Time = time.Time{}
	}
	r := mine(t, table, interaction.Options{Location: []string{}, Noun: "rows"})
	if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"a=true", "load > 900"}) {
		t.Fatalf("want a and the load first, got %s", describe(r))
	}
	want := []string{"Whether member=yes is needed too is not testable: no row had a=true and load > 900 without it."}
	if got := r.Findings[0].Missing; !slices.Equal(got, want) {
		t.Errorf("missing %q, want %q", got, want)
	}
}

func TestWhatWasMerelyInForceIsSaidLastAndBriefly(t *testing.T) {
	w := newWorld(2)
	const n = 6000
	for i := range n {
		bad := i > n/2
		cs := []string{"entry=POST /order", "zone=" + []string{"a", "b"}[w.rng.IntN(2)]}
		// Five states that came into force once, at about the time of the failures.
		for k, state := range []string{"cart: rollout=%v", "db: backup=%v", "cart: batch=%v", "pay: batch=%v", "mail: batch=%v"} {
			cs = append(cs, fmt.Sprintf(state, i > n/2+100*k))
		}
		w.add(time.Minute*time.Duration(i)/n, bad && w.chance(0.3) || w.chance(0.003), cs...)
	}
	r := mine(t, w.done(), interaction.Options{})
	if len(r.Findings) != 0 || len(r.Coincident) < 4 {
		t.Fatalf("want nothing but coincidences, got %s", describe(r))
	}
	var in []int
	for i, s := range r.Missing {
		if strings.Contains(s, "in force") {
			in = append(in, i)
		}
		if strings.Contains(s, "rollout") {
			t.Errorf("want other states before the rollout, got %q", r.Missing)
		}
	}
	if last := len(r.Missing) - 1; !slices.Equal(in, []int{last - 2, last - 1, last}) || last < 3 {
		t.Errorf("want three states at the end of the list, got %q", r.Missing)
	}
}

func TestEvidenceSpeaksOfTimesAndPlacesOnlyWhereThereAreAny(t *testing.T) {
	for _, c := range []struct {
		timed, placed bool
		noun, want    string
	}{
		{true, true, "", "failures more than at the risk of other requests of the same time and place; "},
		{true, false, "", "failures more than at the risk of other requests of the same time; "},
		{false, true, "", "failures more than at the risk of other requests of the same place; "},
		{false, false, "rows", "failures more than at the risk of other rows; "},
	} {
		w := newWorld(3)
		for i := range 9000 {
			cs := []string{fmt.Sprintf("a=%v", i%2 == 0)}
			if c.placed {
				cs = append(cs, "entry="+[]string{"GET /cart", "POST /order"}[w.rng.IntN(2)])
			}
			w.add(time.Duration(i)*time.Millisecond, i%2 == 0 && w.chance(0.6), cs...)
		}
		table := w.done()
		for i := range table.Rows {
			if !c.timed {
				table.Rows[i].Time = time.Time{}
			}
		}
		r := mine(t, table, interaction.Options{Noun: c.noun})
		if len(r.Findings) == 0 || !strings.Contains(r.Findings[0].For[1], c.want) {
			t.Errorf("%+v: got %s", c, describe(r))
			continue
		}
		if !regexp.MustCompile(`^2,\d{3} failures`).MatchString(r.Findings[0].For[1]) {
			t.Errorf("want thousands set apart, got %q", r.Findings[0].For[1])
		}
	}
}

func TestConditionWithTheSaidEffectIsSeen(t *testing.T) {
	const n = 5000
	// build makes failures of which a tenth of the rows, those with a, have
	// extra more than their share.
	build := func(share float64, extra int) interaction.Table {
		w := newWorld(4)
		for i := range n {
			failed := i%10 != 0 && (i*7919)%n < int(share*n) || i%10 == 0 && (i/10) < int(share*n/10)+extra
			w.add(0, failed, fmt.Sprintf("a=%v", i%10 == 0), fmt.Sprintf("b=%d", w.rng.IntN(4)))
		}
		table := w.done()
		for i := range table.Rows {
			table.Rows[i].Time = time.Time{}
		}
		return table
	}
	for _, share := range []float64{0.01, 0.06, 0.4} {
		o := interaction.Options{MaxOrder: 1, Permutations: 1}
		r := mine(t, build(share, 0), o)
		said := regexp.MustCompile(`any condition carried by 10% of requests that adds ([0-9.]+)% or more`).FindStringSubmatch(strings.Join(r.Missing, " "))
		if len(r.Findings) != 0 || said == nil {
			t.Errorf("share %v: want it said what would be seen, got %s", share, describe(r))
			continue
		}
		adds, err := strconv.ParseFloat(said[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		extra := adds / 100 * n / 10
		if r := mine(t, build(share, int(1.3*extra+2)), o); len(r.Findings) != 1 {
			t.Errorf("share %v: a condition that adds more than %v%% is not seen: %s", share, adds, describe(r))
		}
		if r := mine(t, build(share, int(0.7*extra)), o); len(r.Findings) != 0 {
			t.Errorf("share %v: a condition that adds less than %v%% is seen: %s", share, adds, describe(r))
		}
	}
}
