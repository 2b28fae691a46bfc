package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// A Story is what happens to the shop.
type Story struct {
	// Name is how it is asked for: "twist".
	Name string
	// Summary is one line about it that does not give the answer away.
	Summary string
	// Truth is the answer. Nothing that runs the story or analyses it may read
	// it; it is for whoever checks the analysis afterwards.
	Truth Truth

	services []service
	script   func(*Shop) []step
	// mute: flags are evaluated without telling.
	mute bool
}

// Truth is the verdict that is right for a story.
type Truth struct {
	Verdict interaction.Verdict
	// Conditions are those of the finding, ordered by condition.Compare; none
	// where the honest answer is that the records do not say.
	Conditions []condition.Condition
	// Unseen are the services of which the answer must say that they send too
	// little, where that is why there is no explanation.
	Unseen []string
}

// Stories are all there are, the default first.
func Stories() []Story { return []Story{twist(), single(), unclear()} }

// named finds a story; the empty name is the default.
func named(name string) (Story, error) {
	all := Stories()
	if name == "" {
		return all[0], nil
	}
	i := slices.IndexFunc(all, func(s Story) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return Story{}, fmt.Errorf("story %q: want one of %s", name, strings.Join(names, ", "))
	}
	return all[i], nil
}

// catalogue is the shop as it opens.
func catalogue() []service {
	return []service{
		{name: "pricing", replicas: 4, version: "1.4.2", open: openPricing},
		{name: "cart", replicas: 4, version: "1.9.0", open: openCart},
		{name: "inventory", replicas: 3, version: "4.2.0", open: openInventory},
		{name: "payments", replicas: 3, version: "3.0.4", open: openPayments},
		{name: "gateway", replicas: 2, version: "5.2.1", open: openGateway},
	}
}

// twist: pricing 2.0 quotes fractions of a cent to users with bulk-quote, and
// cart 1.9 cannot read them. Of the three any two are harmless: pricing 1.4
// rounds, cart 2.0 rounds, and without the flag there is no discount and hence
// no fraction. Both rollouts are paused half way.
func twist() Story {
	return Story{
		Name:    "twist",
		Summary: "Two rollouts, a flag and a nightly job. Each was tried on its own and was fine.",
		Truth: Truth{
			Verdict: interaction.Interact,
			Conditions: []condition.Condition{
				{Entity: "cart", Dimension: "service.version", Value: "1.9.0"},
				{Entity: "pricing", Dimension: "flag " + flagBulkQuote, Value: "on"},
				{Entity: "pricing", Dimension: "service.version", Value: "2.0.0"},
			},
		},
		services: catalogue(),
		script: func(s *Shop) []step {
			return slices.Concat(
				[]step{{at: 0, play: s.setFlag("cart", flagExpressShipping, s.plan.shipShare, untold)}},
				s.rollout(7, "cart", "2.0.0", told),
				[]step{{at: 9, play: s.startBackup}},
				s.rollout(9.5, "pricing", "2.0.0", untold),
				[]step{
					{at: 12, play: s.setFlag("pricing", flagBulkQuote, s.plan.flagShare, told), trouble: true},
					{at: 21, play: s.finishBackup},
				})
		},
	}
}

// single: payments 3.1 writes a column that the database does not have, for
// orders with a coupon. The coupon is not in any telemetry, so the version is
// all there is to find. All else that happens is harmless.
func single() Story {
	services := catalogue()
	return Story{
		Name:    "single",
		Summary: "A busy evening: two deploys, a flag, a config change and a nightly job.",
		Truth: Truth{
			Verdict:    interaction.SingleCause,
			Conditions: []condition.Condition{{Entity: "payments", Dimension: "service.version", Value: "3.1.0"}},
		},
		services: services,
		script: func(s *Shop) []step {
			return slices.Concat(
				[]step{{at: 0, play: s.setFlag("pricing", flagBulkQuote, s.plan.flagShare, untold)}},
				[]step{{at: 7, play: s.setPatience("gateway", 3*time.Second)}},
				s.rollout(8, "inventory", "4.3.0", untold),
				[]step{
					{at: 9.5, play: s.setFlag("cart", flagExpressShipping, s.plan.shipShare, told)},
					{at: 10, play: s.startBackup},
				},
				trouble(s.rollout(11, "payments", "3.1.0", told)),
				[]step{{at: 20, play: s.finishBackup}})
		},
	}
}

// unclear: a stock sync is cut off and leaves a part of the stock file
// unreadable for every instance of inventory, which nobody instrumented.
// Which articles are concerned is in no telemetry, and every entry asks for
// one; so nothing on record goes with the failures. Pricing does not say its
// version, and flags are evaluated without events.
func unclear() Story {
	services := catalogue()
	for i := range services {
		switch services[i].name {
		case "inventory":
			services[i].silent = true
		case "pricing":
			services[i].nameless = true
		}
	}
	return Story{
		Name:     "unclear",
		Summary:  "Something fails, and a part of the shop sends no telemetry.",
		Truth:    Truth{Verdict: interaction.NoExplanation, Unseen: []string{"inventory", "pricing"}},
		services: services,
		mute:     true,
		script: func(s *Shop) []step {
			return slices.Concat(
				[]step{{at: 0, play: s.setFlag("cart", flagExpressShipping, s.plan.shipShare, untold)}},
				s.rollout(7, "cart", "2.0.0", told),
				[]step{
					{at: 9, play: s.setPatience("gateway", 3*time.Second)},
					{at: 10, play: s.startBackup},
					{at: 12, play: s.spoilStock, trouble: true},
					{at: 20, play: s.finishBackup},
				})
		},
	}
}
