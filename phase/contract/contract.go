// Package contract states phases, transitions and permissions, and finds what is
// wrong with them.
//
// A contract is a YAML file about one kind of subject: an instance that drains,
// a group that elects a leader, a flag, a table under migration. It says which
// phases a subject goes through, what each of them permits, what each role does
// while it believes in one of them, and how long news of a change may take. From
// that follows, for every transition, whether the change must be announced
// before it is made or made before it is announced; see [Contract.Derive].
//
// [Parse] and [Load] read a file strictly: an unknown field, a missing one or a
// value of the wrong kind is an error with its line, what was expected and what
// to do. [Contract.Lint] then judges what the file says. A contract is not
// changed once it is parsed, and is safe for concurrent use.
//
// Guards are kept as text. Compiling them takes a CEL implementation of 14 MB,
// which programs that only announce and believe do not need: package
// phase/contract/cel does it.
package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// APIVersion and Kind are what every contract file begins with.
const (
	APIVersion = "eddy.dev/v1alpha1"
	Kind       = "PhaseContract"
)

// A Contract is what a subject's phases permit and how it may go from one to the
// next. Its fields have the names that they have in the file, below metadata and
// spec; docs/contracts.md explains each with its default.
type Contract struct {
	// Name and Version identify the contract: rolling-drain@1. A version never
	// changes once it is in use. Owner is the team that answers for it.
	Name    string `json:"name"`
	Version int    `json:"version"`
	Owner   string `json:"owner"`

	Subject Subject `json:"subject" need:"what is in a phase, as {kind: instance, key: ...}"`
	// Phases in the order of the file.
	Phases  []Phase   `json:"phases" need:"a list of phases"`
	Initial PhaseName `json:"initial" need:"the phase that a subject begins in"`
	// Monotone says that the order of phases only grows, so that a restart is a
	// new subject.
	Monotone bool `json:"monotone,omitempty"`

	Actions     map[string]Action `json:"actions" need:"what consumers do, as {new_request: {requires: accepts_new}}"`
	Roles       Roles             `json:"roles" need:"producers and consumers"`
	Transitions []Transition      `json:"transitions" need:"a list of legal steps"`
	// Pairings are exceptions to what follows from permissions.
	Pairings []Pairing `json:"pairings,omitempty"`
	// Exclusivity is nil where phases may have many holders.
	Exclusivity *Exclusivity `json:"exclusivity,omitempty"`
	// Deps are subjects of other contracts whose phases guards read, by the name
	// that guards use.
	Deps map[string]Dep `json:"deps,omitempty"`

	Propagation Propagation `json:"propagation"`
	Stability   Stability   `json:"stability"`
	Announce    Announce    `json:"announce" need:"who may announce"`
	// Compatibility says by dimension, as schema or payload, who reads and writes
	// which version.
	Compatibility map[string]Compatibility `json:"compatibility,omitempty"`
	SLO           SLO                      `json:"slo"`
	Model         Model                    `json:"model"`

	file  string
	lines map[string]Position // where each field stands, by its path
}

// A PhaseName names a phase of a contract.
type PhaseName string

// A Subject is one phase machine: what is in a phase.
type Subject struct {
	// Kind is instance, group, flag, table, function, policy, pipeline or stage.
	Kind SubjectKind `json:"kind" need:"what is in a phase, as instance"`
	// Key is a template over OpenTelemetry resource attributes, as
	// {service.namespace}/{service.name}/{service.instance.id}.
	Key string `json:"key" need:"a template over resource attributes, as {service.name}/{service.instance.id}"`
}

// A Phase is an operational state and what it permits.
type Phase struct {
	Name PhaseName `json:"name" need:"a name, as DRAIN"`
	// Order places the phase; in a monotone contract it only grows.
	Order int `json:"order" need:"a number that places the phase"`
	// Terminal phases may be the end: no transition needs to leave them.
	Terminal bool `json:"terminal,omitempty"`
	// Permissions has every permission of the contract.
	Permissions map[string]Permission `json:"permissions" need:"allow, grace or deny for each permission"`
}

// An Action is what a consumer does to a subject.
type Action struct {
	// Requires is the permission that the actual phase must give.
	Requires string `json:"requires" need:"the permission that it needs"`
	// Fenced actions carry a token, which the resource checks.
	Fenced bool `json:"fenced,omitempty"`
}

// Roles are who announces phases and who acts on them.
type Roles struct {
	Producers []Producer `json:"producers" need:"who puts phases in force"`
	Consumers []Consumer `json:"consumers" need:"who acts on phases"`
}

// A Producer is a role that puts phases in force.
type Producer struct {
	Name string `json:"name" need:"a name, as pod"`
	// Announces are the phases that it may announce.
	Announces []PhaseName `json:"announces" need:"the phases that it may announce"`
	// Adopt lets the reconciler commit a phase that the producer has evidently
	// put in force without announcing it.
	Adopt bool `json:"adopt,omitempty"`
}

// A Consumer is a role that acts on the phases it believes in.
type Consumer struct {
	Name     string  `json:"name" need:"a name, as router"`
	Observes Channel `json:"observes" need:"how it learns about phases, as eddy"`
	// Does has, by action, the believed phases in which this role does it.
	Does map[string][]PhaseName `json:"does" need:"what it does in which believed phase, as {new_request: [ACTIVE]}"`
	// Unknown is what it does without a belief.
	Unknown Unknown `json:"unknown"`
	// AssumedBound is how late a role may act that does not observe eddy, and so
	// has no belief that ends. It is measured, and an alarm when exceeded.
	AssumedBound time.Duration `json:"assumedBound,omitempty"`
	// BeliefTTL overrides Propagation.BeliefTTL: a long one survives an outage of
	// the mediator, at the price of a slow drain when a consumer is cut off. After
	// parsing it is never 0 for a role that observes eddy.
	BeliefTTL time.Duration `json:"beliefTTL,omitempty"`
	// PanicThreshold is the share of unknown subjects, 0 to 1, above which the
	// last known phases are used. 0 is off.
	PanicThreshold float64 `json:"panicThreshold,omitempty"`
}

// Unknown is what a role does while it does not know the phase.
type Unknown struct {
	Does []string `json:"does,omitempty"`
	// Accept is why an action that some phase denies is done all the same.
	Accept string `json:"accept,omitempty"`
}

// A Transition is a legal step from one phase to another.
type Transition struct {
	From PhaseName `json:"from" need:"a phase"`
	To   PhaseName `json:"to" need:"a phase"`
	// Discipline is the derived one if the file does not say.
	Discipline Discipline `json:"discipline"`
	// Guard is an expression in CEL that must hold when the transition commits.
	Guard string `json:"guard"`
	Await Await  `json:"await"`
	// MinDwell is the least time in From since From was committed.
	MinDwell time.Duration `json:"minDwell,omitempty"`
	Settle   Settle        `json:"settle"`
	// Urgent transitions may pass over debounce and dwell, never over await.
	Urgent bool `json:"urgent,omitempty"`
}

// Await is what a producer waits for between the commit and the act.
type Await struct {
	Acks AckMode `json:"acks"`
	// AtMost is how long it waits for acknowledgements that do not come.
	AtMost time.Duration `json:"atMost"`
}

// A Pairing is an exception for one pair of actual and believed phase.
type Pairing struct {
	Actual   PhaseName      `json:"actual" need:"a phase"`
	Believed PhaseName      `json:"believed" need:"a phase"`
	Role     string         `json:"role" need:"a consumer"`
	Verdict  PairingVerdict `json:"verdict" need:"tolerate or forbid"`
	// For is how long after Actual began a pair is tolerated.
	For time.Duration `json:"for,omitempty"`
}

// Exclusivity says that at most one holder may be in some phases.
type Exclusivity struct {
	Phases  []PhaseName `json:"phases"`
	Scope   string      `json:"scope"`
	Lease   LeaseTimes  `json:"lease" need:"{ttl, renewEvery, renewDeadline, maxClockDrift}"`
	Fencing Fencing     `json:"fencing"`
}

// LeaseTimes is the arithmetic of a lease.
type LeaseTimes struct {
	TTL           time.Duration `json:"ttl" need:"a duration, as 10s"`
	RenewEvery    time.Duration `json:"renewEvery" need:"a duration, as 2s"`
	RenewDeadline time.Duration `json:"renewDeadline" need:"a duration, as 6s"`
	// MaxClockDrift is by how much the rate of two clocks may differ, as a ratio.
	MaxClockDrift float64 `json:"maxClockDrift"`
}

// Fencing says how a resource refuses who has been overtaken.
type Fencing struct {
	Required bool        `json:"required,omitempty"`
	Mode     FencingMode `json:"mode"`
	// Attribute names the token on spans.
	Attribute string `json:"attribute,omitempty"`
}

// A Dep is a subject of another contract.
type Dep struct {
	Contract string `json:"contract" need:"the name of a contract"`
	Key      string `json:"key" need:"the key of the subject"`
}

// Propagation is how fast news travels and how long a belief lasts.
type Propagation struct {
	// Bound is what users are promised.
	Bound time.Duration `json:"bound"`
	// BeliefTTL is how long a belief lasts from when its confirm was sent.
	BeliefTTL time.Duration `json:"beliefTTL"`
	// ConfirmEvery is how often consumers ask.
	ConfirmEvery time.Duration `json:"confirmEvery"`
	// MaxFlight is the longest time from the decision to act to the act's arrival.
	MaxFlight time.Duration `json:"maxFlight"`
	// ClockDrift is by how much the rate of two clocks may differ, as a ratio.
	ClockDrift float64 `json:"clockDrift"`
}

// Stability is what keeps a subject from flapping.
type Stability struct {
	// Debounce is, by target phase, how long a signal must hold. It is not for
	// requests of operators.
	Debounce map[PhaseName]time.Duration `json:"debounce,omitempty"`
	// MinDwell is the least time in a phase, whichever transition leaves it.
	MinDwell   map[PhaseName]time.Duration `json:"minDwell,omitempty"`
	Hysteresis []Hysteresis                `json:"hysteresis,omitempty"`
	Flap       Flap                        `json:"flap"`
}

// Hysteresis gives a metric one threshold to enter by and another to leave by.
type Hysteresis struct {
	Metric string  `json:"metric" need:"the name of a metric"`
	Enter  float64 `json:"enter"`
	Exit   float64 `json:"exit"`
}

// Flap is how often a subject may go back and forth.
type Flap struct {
	Window   time.Duration `json:"window"`
	MaxFlips int           `json:"maxFlips"`
	OnBreach Breach        `json:"onBreach"`
	// Hold is the phase to hold when OnBreach is hold; by default the one it is in.
	Hold PhaseName `json:"hold,omitempty"`
}

// Announce is who may announce.
type Announce struct {
	// Quorum is how many keys must sign.
	Quorum int `json:"quorum"`
	// MaxSkew is by how much the clock of who signs may be off.
	MaxSkew time.Duration `json:"maxSkew"`
	Keys    []Key         `json:"keys" need:"public keys and what each may sign"`
}

// A Key is a public key and what it may sign.
type Key struct {
	ID  string `json:"id" need:"a name, as checkout-2026a"`
	Alg string `json:"alg" need:"ed25519"`
	// PublicKey is 32 bytes of Ed25519 in base64.
	PublicKey string   `json:"publicKey" need:"32 bytes in base64"`
	Roles     []string `json:"roles" need:"the producers that it signs for"`
	// Phases and Subjects restrict the key further; none means no restriction.
	// Subjects are keys, or prefixes that end in *.
	Phases   []PhaseName `json:"phases,omitempty"`
	Subjects []string    `json:"subjects,omitempty"`
	// NotBefore and NotAfter are zero where there is no limit.
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
}

// Compatibility is who reads and who writes which version of something.
type Compatibility struct {
	Versions []string `json:"versions" need:"a list of versions"`
	// Readers has, by program, the versions that it can read.
	Readers map[string][]string `json:"readers,omitempty"`
	// Writers has, by program, the kinds of write that it may make.
	Writers map[string][]string `json:"writers,omitempty"`
	// Writes has, by kind of write, the versions that it leaves behind. A kind that
	// is itself a version needs no entry.
	Writes map[string][]string `json:"writes,omitempty"`
	// Phases has the programs that run in each phase.
	Phases map[PhaseName]Programs `json:"phases,omitempty"`
}

// Programs are the readers and writers of one phase.
type Programs struct {
	Readers []string `json:"readers,omitempty"`
	Writers []string `json:"writers,omitempty"`
}

// SLO has the targets of the phase indicators. M1, M2, M3, M4 and M9 are ratios
// from 0 to 1, M6 and M7 are per hour, M8 is per month. 0 means no target.
type SLO struct {
	M1 float64       `json:"M1"`
	M2 float64       `json:"M2"`
	M3 float64       `json:"M3"`
	M4 float64       `json:"M4"`
	M5 time.Duration `json:"M5"`
	M6 float64       `json:"M6"`
	M7 float64       `json:"M7"`
	M8 float64       `json:"M8"`
	M9 float64       `json:"M9"`
}

// Model is what the model checker explores, within what it can. What the file
// leaves out is made hard for the contract.
type Model struct {
	// Tick is the unit of time; 0 lets the checker choose.
	Tick time.Duration `json:"tick,omitempty"`
	// Candidates is how many want a lease.
	Candidates int `json:"candidates,omitempty"`
	// Loss is how many faults there are: lost or duplicated messages, crashes.
	Loss      int  `json:"loss,omitempty"`
	Reorder   bool `json:"reorder,omitempty"`
	Duplicate bool `json:"duplicate,omitempty"`
	// Crash is who may restart: consumer, producer, mediator. Pause is whether
	// candidates for a lease may stand still, without a bound.
	Crash []Party `json:"crash,omitempty"`
	Pause bool    `json:"pause,omitempty"`
	// MaxEpochs is how many announcements are explored.
	MaxEpochs int `json:"maxEpochs,omitempty"`
}

// ID is the contract with its version: rolling-drain@1.
func (c *Contract) ID() string { return fmt.Sprintf("%s@%d", c.Name, c.Version) }

// File is the name that the contract was parsed under.
func (c *Contract) File() string { return c.file }

// Digest is the SHA-256, in hexadecimal, of the contract's content as JSON with
// sorted keys. Comments, order of keys and spelled-out defaults do not change it.
func (c *Contract) Digest() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic("BUG: contract as JSON: " + err.Error()) // it holds nothing that JSON cannot
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Phase returns the phase of a name.
func (c *Contract) Phase(name PhaseName) (Phase, bool) {
	i := slices.IndexFunc(c.Phases, func(p Phase) bool { return p.Name == name })
	if i < 0 {
		return Phase{}, false
	}
	return c.Phases[i], true
}

// Transition returns the transition between two phases.
func (c *Contract) Transition(from, to PhaseName) (Transition, bool) {
	i := slices.IndexFunc(c.Transitions, func(t Transition) bool { return t.From == from && t.To == to })
	if i < 0 {
		return Transition{}, false
	}
	return c.Transitions[i], true
}

// Consumer returns the consumer of a role.
func (c *Contract) Consumer(role string) (Consumer, bool) {
	i := slices.IndexFunc(c.Roles.Consumers, func(r Consumer) bool { return r.Name == role })
	if i < 0 {
		return Consumer{}, false
	}
	return c.Roles.Consumers[i], true
}

// ActionNames returns the names of all actions, sorted.
func (c *Contract) ActionNames() []string { return slices.Sorted(maps.Keys(c.Actions)) }

// Exclusive reports whether a phase may have only one holder.
func (c *Contract) Exclusive(phase PhaseName) bool {
	return c.Exclusivity != nil && slices.Contains(c.Exclusivity.Phases, phase)
}

// DoesIn reports whether a role does an action while it believes in a phase.
func (r Consumer) DoesIn(action string, believed PhaseName) bool {
	return slices.Contains(r.Does[action], believed)
}

// DoesUnknown reports whether a role does an action without a belief.
func (r Consumer) DoesUnknown(action string) bool { return slices.Contains(r.Unknown.Does, action) }

// Acknowledges reports whether a role runs the protocol: its beliefs end, and it
// says when it has taken over a phase.
func (r Consumer) Acknowledges() bool { return r.Observes == ObservesEddy }
