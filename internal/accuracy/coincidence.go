package accuracy

import (
	"math/rand/v2"
	"slices"
	"strings"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// times are worlds where a state of the environment comes and goes.
func times() []distractor {
	during := func(windows ...window) func(d *Draft) {
		return func(d *Draft) {
			d.windows[colBackup] = windows
			d.windows[colConns] = nil
			for _, w := range windows {
				d.windows[colConns] = append(d.windows[colConns], window{w.from + 0.005, w.to + 0.01})
			}
			for k := colBatch; k < columns; k++ {
				d.windows[k] = []window{{0.9, 0.95}}
			}
			d.cause(0.15, state{colFlag + 3, on}, state{colBackup, on})
		}
	}
	once, often := during(window{0.4, 0.55}), during(window{0.05, 0.12}, window{0.3, 0.37}, window{0.52, 0.6}, window{0.8, 0.87})
	coincident := func(r interaction.Result) bool {
		return slices.ContainsFunc(r.Coincident, func(c condition.Condition) bool {
			return c.Dimension == "backup" || c.Dimension == "connections"
		})
	}
	flag := func(f interaction.Finding) bool {
		return len(f.Conditions) == 1 && f.Conditions[0].Dimension == "flag f3"
	}
	return []distractor{
		{
			name: "a flag harms during a backup that ran once", must: "the flag; the backup as coincident, of one episode",
			plan: Plan{Shape: once},
			said: func(_ *World, r interaction.Result) bool {
				return len(r.Findings) > 0 && flag(r.Findings[0]) && coincident(r) &&
					strings.Contains(strings.Join(slices.Concat(r.Findings[0].Missing, r.Findings[0].Against, r.Missing), " "), "episode")
			},
		},
		{
			name: "a flag harms during a backup that ran four times", must: "the flag with the backup, or what goes with it",
			plan: Plan{Shape: often},
			said: func(_ *World, r interaction.Result) bool {
				if len(r.Findings) == 0 || len(r.Findings[0].Conditions) != 2 {
					return false
				}
				return names(r, "flag f3") && (names(r, "backup") || names(r, "connections"))
			},
		},
		{
			name: "everything fails more often during a backup", must: "no finding, the backup as coincident",
			plan: Plan{Shape: func(d *Draft) {
				once(d)
				d.Causes = nil
				d.retried = 1
				d.Chance = func(_, risk float64) float64 { return risk * (1 + 9*float64(d.value[colBackup])) }
			}},
			said: func(_ *World, r interaction.Result) bool { return len(r.Findings) == 0 && coincident(r) },
		},
	}
}

// several are worlds with more than one thing at once.
func several() []distractor {
	all := func(w *World, r interaction.Result) bool {
		for i := range w.Causes {
			c := &w.Causes[i]
			if !slices.ContainsFunc(r.Findings, func(f interaction.Finding) bool {
				return w.Found(&f, c) && f.Verdict == typeOf(len(c.Set))
			}) {
				return false
			}
		}
		return len(r.Findings) == len(w.Causes)
	}
	calm := func(d *Draft) { d.retried = 1 }
	return []distractor{
		{
			name: "two causes at once, of one and two conditions", must: "both and nothing else",
			plan: Plan{Orders: []int{1, 2}, Risk: 0.1, Shape: calm}, said: all,
		},
		{
			name: "three causes at once, of one, two and three conditions", must: "all three and nothing else",
			plan: Plan{Orders: []int{1, 2, 3}, Risk: 0.2, Shape: calm}, said: all,
		},
		{
			name: "two conditions harm, each by itself", must: "two single causes",
			plan: Plan{Orders: []int{1, 1}, Risk: 0.05, Shape: calm}, said: all,
		},
		{
			name: "a cause among bursts of tenants and instances", must: "the cause first",
			plan: Plan{Orders: []int{2}, Risk: 0.1},
			after: func(w *World, rng *rand.Rand) {
				w.Disturb(rng, len(w.Table.Rows)/500)
			},
			said: first,
		},
	}
}
