package condition_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/telemetry"
)

// changes draws changes of few states, in an order that is not that of time.
func changes() *rapid.Generator[[]*telemetry.Change] {
	return rapid.Custom(func(t *rapid.T) []*telemetry.Change {
		var out []*telemetry.Change
		for i := range rapid.IntRange(0, 25).Draw(t, "changes") {
			c := &telemetry.Change{
				ID:        fmt.Sprint("id", i),
				Time:      eddytest.Start().Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "minute")) * time.Minute),
				Entity:    rapid.SampledFrom([]string{"", "cart", "db"}).Draw(t, "entity"),
				Dimension: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "dimension"),
				Instance:  rapid.SampledFrom([]string{"", "", "i1", "i2"}).Draw(t, "instance"),
				Value:     rapid.SampledFrom([]string{"on", "off", "v3"}).Draw(t, "value"),
				Ends:      rapid.IntRange(0, 3).Draw(t, "ends") == 0,
			}
			out = append(out, c)
		}
		return out
	})
}

// naive replays the changes one by one, as the definition of "in force" says.
func naive(all []*telemetry.Change, entity, instance string, at time.Time) string {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b *telemetry.Change) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
	})
	general, own := make(map[string]string), make(map[string]string)
	for _, c := range sorted {
		if c.Time.After(at) || c.Entity != entity {
			continue
		}
		m := general
		if c.Instance != "" {
			if c.Instance != instance {
				continue
			}
			m = own
		}
		delete(m, c.Dimension)
		if !c.Ends {
			m[c.Dimension] = c.Value
		}
	}
	var out []string
	for _, d := range []string{"a", "b"} {
		if v := cmp.Or(own[d], general[d]); v != "" {
			out = append(out, d+"="+v)
		}
	}
	return strings.Join(out, " ")
}

func TestWhatIsInForceEqualsAReplayOfAllChangesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := changes().Draw(t, "changes")
		timeline := condition.NewTimeline(condition.TimelineConfig{})
		timeline.Apply(all...)
		timeline.Apply(rapid.Permutation(all).Draw(t, "again")...) // idempotent
		for _, entity := range []string{"", "cart", "db"} {
			for _, instance := range []string{"", "i1", "i2", "i3"} {
				at := eddytest.Start().Add(time.Duration(rapid.IntRange(-1, 31).Draw(t, "at")) * time.Minute)
				var got []string
				for _, s := range timeline.InForce(entity, instance, at) {
					got = append(got, s.Dimension+"="+s.Value)
				}
				if want := naive(all, entity, instance, at); strings.Join(got, " ") != want {
					t.Fatalf("in force for %q at %q, %v: %q, want %q", entity, instance, at, got, want)
				}
			}
		}
	})
}

func TestADeployOfFourteenDaysAgoStillCounts(t *testing.T) {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	old := change(14*24*time.Hour, "cart", "service.version", "2.3.0")
	timeline.Apply(old)
	got := timeline.InForce("cart", "cart-1", eddytest.Start())
	if len(got) != 1 || got[0].Value != "2.3.0" || !got[0].Since.Equal(old.Time) || got[0].Change != old {
		t.Errorf("in force: %+v, want 2.3.0 since %v", got, old.Time)
	}
}

func TestAValueThatIsSetAgainIsInForceSinceItWasSetFirst(t *testing.T) {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	timeline.Apply(
		change(4*time.Hour, "cart", "flag x", "off"), change(3*time.Hour, "cart", "flag x", "on"),
		change(2*time.Hour, "cart", "flag x", "on"), change(time.Hour, "cart", "flag x", "on"),
	)
	got := timeline.InForce("cart", "", eddytest.Start())
	if want := eddytest.Start().Add(-3 * time.Hour); len(got) != 1 || !got[0].Since.Equal(want) {
		t.Errorf("in force: %+v, want since %v", got, want)
	}
}

func TestTheTimelineIsBoundedAndKeepsWhatIsInForce(t *testing.T) {
	timeline := condition.NewTimeline(condition.TimelineConfig{MaxKeys: 10, MaxHistory: 3})
	timeline.Apply(change(time.Hour, "cart", "config", "kept"))
	for i := range 1_000 { // jobs that run and end
		job := fmt.Sprint("job", i)
		timeline.Apply(change(time.Duration(2_000-i)*time.Second, job, "run", "running"))
		timeline.Apply(change(time.Duration(1_999-i)*time.Second, job, "run", ""))
	}
	for i := range 10 {
		timeline.Apply(change(time.Duration(10-i)*time.Minute, "cart", "config", fmt.Sprint("v", i)))
	}
	s := timeline.Stats()
	if s.Keys > 10 || s.Refused != 0 || s.Dropped == 0 {
		t.Errorf("stats %+v, want at most 10 keys, none refused", s)
	}
	if got := timeline.InForce("cart", "", eddytest.Start()); len(got) != 1 || got[0].Value != "v9" {
		t.Errorf("in force for cart: %+v, want v9", got)
	}
	for i := range 20 { // states that do not end
		timeline.Apply(change(time.Minute, fmt.Sprint("x", i), "config", "v"))
	}
	if s := timeline.Stats(); s.Keys > 10 || s.Refused == 0 {
		t.Errorf("stats %+v, want at most 10 keys, the others refused", s)
	}
}

func TestChangesThatSayNothingAreLeftOut(t *testing.T) {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	timeline.Apply(nil, &telemetry.Change{}, &telemetry.Change{ID: "1", Time: eddytest.Start(), Dimension: "x"},
		&telemetry.Change{ID: "1", Dimension: "x", Value: "v"})
	if s := timeline.Stats(); s.Invalid != 4 || s.Changes != 0 {
		t.Errorf("stats %+v, want 4 invalid", s)
	}
}

func lanes(list []condition.Lane) string {
	var out strings.Builder
	for _, l := range list {
		fmt.Fprintf(&out, "%s\n", strings.Join(slices.DeleteFunc([]string{l.Entity, l.Instance, l.Dimension}, func(s string) bool { return s == "" }), " "))
		for _, s := range l.Stretches {
			fmt.Fprintf(&out, "  %s to %s: %s", s.Start.Format("15:04"), s.End.Format("15:04"), s.Value)
			if !s.Began.IsZero() {
				fmt.Fprintf(&out, " since %s", s.Began.Format("01-02 15:04"))
			}
			if s.Holds {
				fmt.Fprint(&out, " (holds)")
			}
			fmt.Fprintln(&out)
		}
	}
	return out.String()
}

func TestLanesShowTheValuesInForceOverAWindow(t *testing.T) {
	timeline := condition.NewTimeline(condition.TimelineConfig{})
	deploy := change(10*time.Minute, "cart", "service.version", "2.4.0")
	deploy.Previous = "2.3.0"
	pod := change(5*time.Minute, "cart", "service.version", "2.5.0")
	pod.Instance = "cart-2"
	timeline.Apply(deploy, pod,
		change(14*24*time.Hour, "pricing", "config", "v7"), change(12*time.Minute, "pricing", "config", "v7"),
		change(25*time.Minute, "db", "backup", "running"), change(15*time.Minute, "db", "backup", ""),
		change(5*time.Minute, "db", "backup", "running"), change(4*time.Minute, "db", "backup", ""),
		change(-time.Minute, "pricing", "config", "v8"),
	)
	w := telemetry.Window{Start: eddytest.Start().Add(-20 * time.Minute), End: eddytest.Start()}
	got := lanes(timeline.Lanes(w, []condition.Condition{
		{Entity: "cart", Dimension: "service.version", Value: "2.3.0"},
		{Entity: "cart", Dimension: "service.version", Value: "2.5.0"},
		{Entity: "pricing", Dimension: "config", Value: "v7"},
		{Entity: "db", Dimension: "backup", Value: "running"},
		{Entity: "", Dimension: "app.tenant", Value: "acme"},
	}))
	eddytest.Golden(t, "lanes.golden", got)
}
