package sim

import "time"

// A ConditionKind says what sort of change puts a condition in force.
type ConditionKind string

// Kinds of conditions.
const (
	KindLoad      ConditionKind = "load"
	KindFault     ConditionKind = "fault"
	KindPhase     ConditionKind = "phase"
	KindLease     ConditionKind = "lease"
	KindDeploy    ConditionKind = "deploy"
	KindConfig    ConditionKind = "config"
	KindFlag      ConditionKind = "flag"
	KindPolicy    ConditionKind = "policy"
	KindCron      ConditionKind = "cron"
	KindDNS       ConditionKind = "dns"
	KindScale     ConditionKind = "scale"
	KindTelemetry ConditionKind = "telemetry"
)

// A Condition is something that can be switched on or off for a run, as a factor
// of an experiment is. On, its Apply settings hold in its windows, or all the
// time if it has none. Off, its Revert settings hold all the time.
type Condition struct {
	ID      string
	Kind    ConditionKind
	Target  string // a service, cache, store, workload, or an edge as "from->to"
	Apply   []Setting
	Revert  []Setting
	Windows []Window
	Default bool // on, unless Settings.On says otherwise
	// Instances are those of a service that are meant; none are all.
	Instances []int
	// Propagation is how long it takes an instance to take the change over, and
	// Stagger how much later each one is than the one before, as in a rollout.
	// Each takes no more requests for Drain, and is then down for Restart.
	Propagation Dist
	Via         string // the distribution by which instances hear of it, each in its time
	Stagger     time.Duration
	Drain       time.Duration
	Restart     time.Duration
	// Visibility is whether its change event is seen: full, late by Late, or not
	// at all.
	Visibility Visibility // full
	Late       time.Duration
	// Change is what the change event says. Empty fields follow from the rest.
	Change Change
}

// A Visibility says whether real tooling would report a condition.
type Visibility string

// Visibilities.
const (
	VisibleFull Visibility = "full"
	VisibleLate Visibility = "late"
	VisibleNone Visibility = "none"
)

// A Change is what an event says that reports a condition: this entity has this
// value in this dimension, and had that one before.
type Change struct {
	Entity, Dimension, Value, Previous string
}

// A Setting gives a parameter of the target a value. Parameters are named as
// the fields of Service, Cache, Store, Workload and Policy in lower case with
// underscores, and those within as "retry.max_attempts". A value is a float64,
// int, bool, string, time.Duration, Dist or Rate, as the field is; a text is
// taken where it can be read as a duration. "speed" and "error" add up over
// conditions: speeds are multiplied, and the highest error holds. "flag.KEY" and
// "flag.KEY.share" are the variant and share of a flag. "flush.fraction" acts
// when the condition begins.
type Setting struct {
	Param string
	Value any
}

// A Window is a stretch of a run. To 0 is the end of the run.
type Window struct {
	From, To time.Duration
}
