// Package interaction finds the conditions, alone or together, that explain
// failures.
//
// Mine looks for the smallest sets of conditions that say which requests fail.
// Requests are compared only with others of the same short time and the same
// entry, so what changes slowly, or differs from place to place, cannot pass
// for a cause. Sets are ranked by how much they tell about the failures, at a
// price per condition; the best one that passes its tests is taken, its
// requests are put aside, and the rest is searched again, so what only went
// along with a cause is not reported beside it. How often a table without a
// cause yields a finding is bounded by Options.Alpha, counting every set that
// could have been found, and each element of a set must be shown to be needed.
//
// Rows are laid out in panes of a short time, as bits by condition; a Window keeps
// its panes from one run to the next, so that a run does not go over the rows
// again. Failures that come in bursts count as fewer, since one burst can strike
// whoever is there; if nothing is found among few failures, each burst is counted
// once. With Options.Since, failures are held against the past of the same part of
// the traffic instead of the rest of the traffic.
//
// The search looks at a bounded sample and a bounded number of sets; what it
// finds is tested and counted on all rows. When a bound is hit the result says
// so. When nothing passes, the verdict is NoExplanation, with what is missing.
//
// Mine is a pure function, safe to call concurrently; a Window is not. Both work
// in two goroutines, which have ended when they return.
package interaction

import (
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/telemetry"
)

// A Table is what is mined: rows over numbered conditions.
type Table struct {
	// Conditions are what the numbers in the rows stand for.
	Conditions []condition.Condition
	Rows       []Row
	// Unlisted are conditions that the rows do not tell, because another search
	// has set them aside; empty if there was none.
	Unlisted []Unlisted
}

// An Unlisted condition could have been found, but is not among a table's. It
// counts in the number of sets that were possible, so that what is left of a
// table is held to the standard of the whole.
type Unlisted struct {
	Name  string // condition.Condition.Name
	Total int    // observations that have it
}

// A Row is one observation, or several that are alike in all that is recorded.
type Row struct {
	// Time places the row in a stratum. The zero time means that time is not
	// known; a table has it for all rows or for none.
	Time time.Time
	// Total is how many observations the row is, Failed how many of them failed.
	Total, Failed int
	// Weight is how many requests each observation that did not fail stands
	// for, because successes were sampled; 0 means 1. Failures are never sampled.
	Weight float64
	// Conditions are indexes into Table.Conditions, ascending, each once. Two
	// conditions of one row share a name (condition.Condition.Name) only if the
	// path held both, as in a request that met two instances of a service, or if
	// they are ranges that a number lies in.
	Conditions []condition.ID
	// Trace is kept as an example of a cell; zero if there is none.
	Trace telemetry.TraceID
}

// A Verdict is what kind of explanation a finding is.
type Verdict string

// The verdicts.
const (
	// SingleCause: one condition explains the failures by itself.
	SingleCause Verdict = "single cause"
	// Interact: the conditions explain the failures together, and each is
	// needed; with all but one of them in force, little or nothing fails.
	Interact Verdict = "interaction"
	// Joint: each of the conditions is needed, but the effect together is not
	// shown to be more than the sum of the parts.
	Joint Verdict = "joint"
	// Proxy: the condition goes with what does harm, or follows from it, and is not
	// shown to do any itself. It is the verdict of a finding that names only what
	// follows from failures, such as an attempt; what goes with a condition that
	// explains more is in Finding.Proxies.
	Proxy Verdict = "proxy"
	// Alias: the condition cannot be told apart from another one in this data. No
	// finding has this verdict: such conditions are in Finding.Aliases.
	Alias Verdict = "alias"
	// Coincident: the state was in force at the time of the failures, and
	// nothing shows that it did more. No finding has this verdict: such
	// conditions are in Result.Coincident.
	Coincident Verdict = "coincident"
	// NoExplanation: no set of the conditions on record explains the failures.
	NoExplanation Verdict = "no explanation"
)

// A Result is what mining one table gave.
type Result struct {
	// Verdict is that of the first finding; NoExplanation when there is none but
	// proxies, or when the findings account for less than a fifth of the failures;
	// empty when nothing failed.
	Verdict Verdict `json:"verdict"`
	Rows    int     `json:"rows"`   // observations
	Failed  int     `json:"failed"` // of them
	// Findings are ranked, the one that explains most first.
	Findings []Finding `json:"findings"`
	// Rivals are sets that explain nearly as much as the first finding, the closest
	// first; only with Options.Since.
	Rivals []Rival `json:"rivals,omitempty"`
	// Coincident are states that were in force when failures were, of which
	// this data cannot say more.
	Coincident []condition.Condition `json:"coincident,omitempty"`
	// Explained is the share of all failures that the findings account for
	// beyond what was to be expected without them, 0 to 1.
	Explained float64 `json:"explained"`
	// Missing says, in sentences, what would be needed to say more, and how
	// small an effect this data could have shown.
	Missing []string `json:"missing"`
	// Cut says that the search hit its bound, which Missing says in words.
	Cut bool `json:"-"`
}

// A Finding is one set of conditions that explains failures.
type Finding struct {
	Rank       int                   `json:"rank"` // from 1
	Verdict    Verdict               `json:"verdict"`
	Conditions []condition.Condition `json:"conditions"` // ordered by condition.Compare
	// Grade says how strong an interaction is: "only together" (the parts
	// together do no more harm than the background), "interaction" or
	// "super-additive". Empty for other verdicts.
	Grade string `json:"grade,omitempty"`
	// Aliases are conditions that this data cannot tell from one of the set.
	Aliases []AliasOf `json:"aliases"`
	// Proxies are conditions that mostly go with one of the set and explain less:
	// where the two parted, they are not where the failures are. The closest first,
	// a few at most.
	Proxies []AliasOf `json:"proxies,omitempty"`
	// Where are the locations that the failures keep to, although the whole set
	// was in force elsewhere too; empty if they do not. Cells then count the
	// requests there.
	Where []condition.Condition `json:"where,omitempty"`
	// Cells are what happened with all of the conditions, with all but one, and
	// so on to none of them: the whole set first, then the others by how many
	// hold. Sets of four or more leave out the cells between.
	Cells []Cell `json:"cells"`
	// Coverage is the share of all failures that happened while the whole set
	// was in force, 0 to 1.
	Coverage float64 `json:"coverage"`
	// Excess is how many of those failures would not have been expected at the
	// risk of the rest of the traffic of the same time; of a later finding, with what
	// has an earlier one put aside.
	Excess float64 `json:"excess"`
	// Difference is the risk with the whole set less the highest risk with any
	// element missing.
	Difference float64 `json:"difference"`
	// P is the adjusted probability of a set as striking as this one if
	// conditions and failures had nothing to do with each other.
	P float64 `json:"p"`
	// For, Against and Missing are the evidence, in sentences.
	For     []string `json:"for"`
	Against []string `json:"against"`
	Missing []string `json:"missing"`
}

// AliasOf is a condition that goes with one of a finding's: one that cannot be told
// from it, or one that could be and explains less.
type AliasOf struct {
	condition.Condition
	// Of is the condition of the finding that it goes with.
	Of condition.Condition
	// Discordant is how many observations had the one without the other; 0
	// means that the two never parted.
	Discordant int
}

// A Cell is one combination of a finding's conditions in force.
type Cell struct {
	// Holds are the conditions of the finding that were in force, as text; the
	// others were not.
	Holds []string `json:"holds"`
	// Total is the number of observations, Failed how many of them failed.
	Total  int `json:"n"`
	Failed int `json:"failed"`
	// Risk is the weighted share that failed, Low and High its 95 % interval.
	// With no observations Risk is 0 and the interval is 0 to 1.
	Risk float64 `json:"risk"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Traces are examples: failures where there are any, else successes.
	Traces []telemetry.TraceID `json:"traces,omitempty"`
}
