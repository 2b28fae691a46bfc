package accuracy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A distractor is a world that misleads, and what must be said about it.
type distractor struct {
	name, must string
	plan       Plan
	after      func(w *World, rng *rand.Rand)
	said       func(w *World, r interaction.Result) bool
}

// distractors lists the worlds.
func distractors() []distractor {
	lists := [][]distractor{aliases(), paths(), mixes(), times(), several()}
	return slices.Concat(lists...)
}

func service(s, column int) int { return s*perService + column }

// on is the value of a flag or an environment that is in force.
const on = 1

// first reports whether the first finding is the first cause, rightly typed.
func first(w *World, r interaction.Result) bool { return grade(w, r).typed }

// names reports whether a finding has a condition of the dimension.
func names(r interaction.Result, dimension string) bool {
	return slices.ContainsFunc(r.Findings, func(f interaction.Finding) bool {
		return slices.ContainsFunc(f.Conditions, func(c condition.Condition) bool { return c.Dimension == dimension })
	})
}

// aliases are conditions that go with those of the cause.
func aliases() []distractor {
	near := func(d *Draft) {
		d.cause(0.1, state{colFlag + 2, on}, state{service(1, version), 1})
		d.twist = func(float64) {
			if d.rng.Float64() < 0.95 {
				d.value[colFlag+6] = d.value[colFlag+2]
			}
		}
	}
	return []distractor{
		{
			name: "a config always goes with the version", must: "the version first, the config as its alias",
			plan: Plan{Shape: func(d *Draft) { d.cause(0.1, state{service(0, version), 1}) }},
			said: func(w *World, r interaction.Result) bool {
				return first(w, r) && slices.ContainsFunc(r.Findings[0].Aliases, func(a interaction.AliasOf) bool {
					return a.Discordant == 0 && (a.Dimension == "config" || a.Dimension == "service.version")
				})
			},
		},
		{
			name: "a flag agrees with the cause's in 95 %", must: "the cause first, the other flag as a proxy",
			plan: Plan{Shape: near},
			said: func(w *World, r interaction.Result) bool {
				return first(w, r) && !names(r, "flag f6") && slices.ContainsFunc(r.Findings[0].Proxies, func(a interaction.AliasOf) bool {
					return a.Dimension == "flag f6"
				})
			},
		},
		{
			name: "instances of the version that harms", must: "the version, no instance",
			plan: Plan{Shape: func(d *Draft) { d.cause(0.05, state{service(0, version), 2}, state{colCache, 1}) }},
			said: func(w *World, r interaction.Result) bool {
				return first(w, r) && !names(r, "service.instance.id")
			},
		},
		{
			name: "one instance harms", must: "the instance, not its version",
			plan: Plan{Shape: func(d *Draft) { d.cause(0.05, state{service(0, instance), 5}) }},
			said: func(w *World, r interaction.Result) bool {
				return first(w, r) && !names(r, "service.version") && !names(r, "config")
			},
		},
	}
}

// paths are conditions on the way from the cause to the failure, or that come
// after it.
func paths() []distractor {
	return []distractor{
		{
			name: "failed requests are retried and fail again", must: "the cause first, retries in no finding",
			plan: Plan{Retries: 0.8, Shape: func(d *Draft) {
				d.retried = 1
				d.cause(0.1, state{colFlag + 2, on}, state{service(1, version), 1})
			}},
			said: func(w *World, r interaction.Result) bool { return first(w, r) && !names(r, "attempt") },
		},
		{
			name: "a condition harms alone, another makes it worse", must: "the first one alone",
			plan: Plan{Shape: func(d *Draft) {
				d.cause(0.08, state{service(0, version), 2})
				d.Chance = func(_, risk float64) float64 {
					if d.holds(&d.Causes[0]) && d.value[colOS] == 1 {
						return 0.3
					}
					return risk
				}
			}},
			said: first,
		},
	}
}

// mixes are worlds where the mix of the traffic makes something look harmful.
func mixes() []distractor {
	risky := func(d *Draft, col int, value uint16) func(at, risk float64) float64 {
		d.retried = 1
		d.twist = func(float64) {
			d.value[colFlag+7] = 0
			if p := d.rng.Float64(); p < 0.02 || d.value[col] == value && p < 0.6 {
				d.value[colFlag+7] = on
			}
		}
		return func(_, risk float64) float64 {
			if d.value[col] == value {
				return 0.04
			}
			return risk
		}
	}
	return []distractor{
		{
			name: "a flag is mostly on where an entry fails (Simpson)", must: "nothing",
			plan: Plan{Shape: func(d *Draft) { d.Chance = risky(d, colEntry, 3) }},
			said: func(_ *World, r interaction.Result) bool { return len(r.Findings) == 0 },
		},
		{
			name: "a flag is mostly on for a tenant that fails (Simpson)", must: "the tenant first, the flag in no finding",
			plan: Plan{Shape: func(d *Draft) {
				d.cause(0, state{colTenant, 3})
				d.Chance = risky(d, colTenant, 3)
			}},
			said: func(w *World, r interaction.Result) bool {
				return len(r.Findings) > 0 && slices.Contains(r.Findings[0].Conditions, w.Causes[0].Set[0]) && !names(r, "flag f7=on") && !names(r, "flag f7")
			},
		},
		{
			name: "a version is rolled out while the base risk rises fourfold", must: "nothing",
			plan: Plan{Shape: func(d *Draft) {
				d.retried = 1
				d.twist = func(at float64) {
					v := uint16(0)
					if d.rng.Float64() < at {
						v = 1
					}
					d.value[service(1, version)], d.value[service(1, config)] = v, v
					d.value[service(1, instance)] = v*instances + d.value[service(1, instance)]%instances
				}
				d.Chance = func(at, risk float64) float64 { return risk * (0.5 + 1.5*at) }
			}},
			said: func(_ *World, r interaction.Result) bool { return len(r.Findings) == 0 },
		},
		{
			name: "the version that is being rolled out harms", must: "it first",
			plan: Plan{Shape: func(d *Draft) { d.cause(0.05, state{service(6, version), 1}) }},
			said: first,
		},
	}
}

// distractorTable is how often what must be said is said.
func distractorTable(ctx context.Context, s *Settings) error {
	n := max(1, s.Worlds/2)
	worlds := distractors()
	out, err := grid(ctx, s, "distractors", len(worlds), n, func(ctx context.Context, k, i int) (bool, error) {
		x := &worlds[k]
		w := x.world(s.Seed(i), s.Rows)
		r, err := interaction.Mine(ctx, w.Table, options())
		if err != nil {
			return false, err
		}
		said := x.said(w, r)
		if !said {
			s.wrong(x.name, s.Seed(i), x.must+", of "+fmt.Sprint(w.sets()), r)
		}
		return said, nil
	})
	if err != nil {
		return err
	}
	s.heading("Worlds that mislead", fmt.Sprintf("%d requests, base risk %s; n %d worlds a row.", s.Rows, percent(base), n))
	t := &table{}
	t.add("world", "must be said", "said")
	for k, x := range worlds {
		var said Share
		for _, ok := range out[k] {
			said.Count(ok)
		}
		t.add(x.name, x.must, said.brief())
	}
	t.print(s.Out)
	return nil
}

// world makes one of the worlds.
func (x *distractor) world(seed uint64, rows int) *World {
	p := x.plan
	p.Seed, p.Requests, p.Base = seed, rows, base
	w := p.Build()
	if x.after != nil {
		x.after(w, rand.New(rand.NewPCG(seed, 1)))
	}
	return w
}

// sets lists those of the causes.
func (w *World) sets() []Set {
	var sets []Set
	for _, c := range w.Causes {
		sets = append(sets, c.Set)
	}
	return sets
}
