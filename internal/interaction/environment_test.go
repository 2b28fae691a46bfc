package interaction_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// nightly makes traffic in which a backup runs in each of the given spans, of
// the minute that the table lasts, and new versions serve half of the requests.
func nightly(seed uint64, spans [][2]int, risk func(version string, backup bool) float64) interaction.Table {
	w := newWorld(seed)
	const n = 4000
	for i := range n {
		second := 60 * i / n
		backup := slices.ContainsFunc(spans, func(s [2]int) bool { return second >= s[0] && second < s[1] })
		version := []string{"1", "2"}[w.rng.IntN(2)]
		state := "idle"
		if backup {
			state = "running"
		}
		w.add(time.Minute*time.Duration(i)/n, w.chance(max(0.003, risk(version, backup))),
			"entry=POST /order", "orders: service.version="+version, "db: backup="+state,
			"zone="+[]string{"a", "b", "c"}[w.rng.IntN(3)])
	}
	return w.done()
}

func together(version string, backup bool) float64 {
	if version == "2" && backup {
		return 0.5
	}
	return 0
}

func TestEnvironmentWithOneEpisodeIsNotPartOfTheCause(t *testing.T) {
	r := mine(t, nightly(1, [][2]int{{20, 40}}, together), interaction.Options{})
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), []string{"orders service.version=2"}) {
		t.Fatalf("want only the version, got %s", describe(r))
	}
	if said := strings.Join(r.Findings[0].Missing, " "); !strings.Contains(said, "only 1 episode: it cannot be separated from time (3") {
		t.Errorf("want it said that one episode is one, got %s", describe(r))
	}
	running := condition.Condition{Entity: "db", Dimension: "backup", Value: "running"}
	if !slices.Contains(r.Coincident, running) {
		t.Errorf("want %v coincident, got %v", running, r.Coincident)
	}
}

func TestEnvironmentWithManyEpisodesIsAPartner(t *testing.T) {
	r := mine(t, nightly(2, [][2]int{{4, 9}, {20, 24}, {33, 41}, {50, 54}}, together), interaction.Options{})
	want := []string{"db backup=running", "orders service.version=2"}
	if len(r.Findings) != 1 || !slices.Equal(names(r.Findings[0]), want) || r.Verdict != interaction.Interact {
		t.Errorf("want only %v, got %s", want, describe(r))
	}
}

func TestEnvironmentAloneIsCoincidentAndNeverACause(t *testing.T) {
	r := mine(t, nightly(3, [][2]int{{20, 40}}, func(_ string, backup bool) float64 {
		if backup {
			return 0.3
		}
		return 0
	}), interaction.Options{})
	if r.Verdict != interaction.NoExplanation || len(r.Findings) != 0 || len(r.Coincident) == 0 {
		t.Errorf("want no explanation and a coincidence, got %s", describe(r))
	}
}

func TestChangeOfAllTrafficAtOnceIsOneEpisode(t *testing.T) {
	w := newWorld(4)
	for i := range 4000 {
		version, risk := "1", 0.003
		if i > 2000 {
			version, risk = "2", 0.2
		}
		w.add(time.Minute*time.Duration(i)/4000, w.chance(risk), "entry=POST /order",
			"orders: service.version="+version, "zone="+[]string{"a", "b"}[w.rng.IntN(2)])
	}
	r := mine(t, w.done(), interaction.Options{})
	if r.Verdict != interaction.NoExplanation || len(r.Findings) != 0 || len(r.Coincident) == 0 ||
		!strings.Contains(strings.Join(r.Missing, " "), "only 1 episode") {
		t.Errorf("want a coincidence of one episode, got %s", describe(r))
	}
}

func TestASwitchThatWasTurnedOnceIsNoPartOfACause(t *testing.T) {
	// At the same moment one tenant begins to fail, for a reason that nobody recorded,
	// and its flag is turned on; those of others are turned at any time.
	for seed := range uint64(5) {
		w := newWorld(seed)
		const rows, when = 30_000, 330 * time.Second
		for i := range rows {
			at := 10 * time.Minute * time.Duration(i) / rows
			tenant, flag, risk := w.rng.IntN(8), w.chance(0.5), 0.02
			if tenant == 0 {
				flag = at > when
				if flag {
					risk = 0.3
				}
			}
			w.add(at, w.chance(risk), fmt.Sprintf("tenant=t%d", tenant), fmt.Sprintf("flag x=%v", flag), fmt.Sprintf("zone=%d", w.rng.IntN(3)))
		}
		r := mine(t, w.done(), interaction.Options{})
		if len(r.Findings) == 0 || !slices.Equal(names(r.Findings[0]), []string{"tenant=t0"}) {
			t.Errorf("seed %d: want the tenant alone, got %s", seed, describe(r))
		}
	}
}
