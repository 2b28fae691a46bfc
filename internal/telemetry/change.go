package telemetry

import "time"

// A Change is an event that puts a state in force, or ends one. The state is
// named by Entity and Dimension; a later change of the same two replaces it,
// however long ago it was set.
type Change struct {
	// ID is unique for the event: a sender's event id, or a hash of the content,
	// so that the same event sent twice counts once.
	ID string `json:"id"`
	// Time is when the state came into force, by the sender's clock.
	Time time.Time  `json:"time"`
	Kind ChangeKind `json:"kind"`
	// Entity is whose state it is: a service ("cart"), a store ("orders-db"), a
	// job. Empty means that it holds everywhere.
	Entity string `json:"entity,omitempty"`
	// Instance narrows the state to one instance of the entity. Usually empty.
	Instance string `json:"instance,omitempty"`
	// Dimension is what changed: "service.version", "flag rounding", "backup".
	Dimension string `json:"dimension"`
	// Value is the state now in force: "2.4.0", "banker", "running". Empty only
	// if the change ends the state.
	Value string `json:"value,omitempty"`
	// Previous is the state before, where the sender knows it.
	Previous string `json:"previous,omitempty"`
	// Ends says that no value is in force from Time on.
	Ends bool `json:"ends,omitempty"`
	// Origin says how Eddy knows.
	Origin Origin `json:"origin"`
	// Source, Actor, Summary and URL are for people: which system sent it, who
	// did it, what it says, where to read on.
	Source  string `json:"source,omitempty"`
	Actor   string `json:"actor,omitempty"`
	Summary string `json:"summary,omitempty"`
	URL     string `json:"url,omitempty"`
}

// A ChangeKind groups changes by what was changed.
type ChangeKind string

// The kinds of change.
const (
	ChangeDeploy   ChangeKind = "deploy"
	ChangeConfig   ChangeKind = "config"
	ChangeFlag     ChangeKind = "flag"
	ChangeSchedule ChangeKind = "schedule"
	ChangePolicy   ChangeKind = "policy"
	ChangeRotation ChangeKind = "rotation"
	ChangeScale    ChangeKind = "scale"
	ChangePhase    ChangeKind = "phase"
)

// ChangeKinds lists all kinds, in the order in which they are shown.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{
		ChangeDeploy, ChangeConfig, ChangeFlag, ChangeSchedule,
		ChangePolicy, ChangeRotation, ChangeScale, ChangePhase,
	}
}

// An Origin says how a change came to be known.
type Origin string

// The origins: a sender reported the change; Eddy inferred it from telemetry
// that names the state (a new service.version); Eddy derived it from
// measurements (a pool above 90 %).
const (
	OriginReported Origin = "reported"
	OriginInferred Origin = "inferred"
	OriginDerived  Origin = "derived"
)
