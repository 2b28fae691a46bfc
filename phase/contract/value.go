package contract

import (
	"fmt"
	"slices"
	"strings"
)

// A Permission is what a phase says to an action that requires it.
type Permission string

// What a phase may say.
const (
	Allow Permission = "allow"
	// Grace still serves, counts, and tolerates for the bound of the propagation.
	Grace Permission = "grace"
	Deny  Permission = "deny"
)

// A Discipline is the order of announcing a transition and making it.
type Discipline string

// The disciplines.
const (
	// AnnounceFirst commits, waits until no one acts on the old phase, and then
	// withdraws what the new phase denies.
	AnnounceFirst Discipline = "announce_first"
	// ActFirst first makes true what the new phase promises, and then commits.
	ActFirst Discipline = "act_first"
	// Atomic does both at once, which only a lease can.
	Atomic Discipline = "atomic"
)

// A SubjectKind says what is in a phase.
type SubjectKind string

// The kinds of subject.
const (
	Instance SubjectKind = "instance"
	Group    SubjectKind = "group"
	Flag     SubjectKind = "flag"
	Table    SubjectKind = "table"
	Function SubjectKind = "function"
	Policy   SubjectKind = "policy"
	Pipeline SubjectKind = "pipeline"
	Stage    SubjectKind = "stage"
)

// A Channel is how a role learns about phases.
type Channel string

// The channels. Only ObservesEddy ends a belief when it is not confirmed.
const (
	ObservesEddy          Channel = "eddy"
	ObservesEndpointSlice Channel = "endpointslice"
	ObservesLBAPI         Channel = "lb_api"
	ObservesHeader        Channel = "header"
)

// An AckMode is what acknowledgements a producer waits for.
type AckMode string

// The modes.
const (
	// AckQuiesced says that the new phase is believed and nothing begun under an
	// older one is still open.
	AckQuiesced AckMode = "quiesced"
	// AckApplied says that the new phase is believed; the flight time of what was
	// sent before remains to be waited for.
	AckApplied AckMode = "applied"
	// AckNone waits the whole time.
	AckNone AckMode = "none"
)

// Settle says whether the announcement before must have settled.
type Settle string

// Whether to settle.
const (
	SettleRequired Settle = "required"
	SettleSkip     Settle = "skip"
)

// A PairingVerdict is what a declared pairing says.
type PairingVerdict string

// What a pairing may say.
const (
	Tolerate PairingVerdict = "tolerate"
	Forbid   PairingVerdict = "forbid"
)

// A FencingMode is how a resource checks tokens.
type FencingMode string

// The modes. Only FencingSeal and FencingTxn keep a deposed holder's write out in
// every case: with a bare token it gets in until its successor's first write.
const (
	FencingNone  FencingMode = "none"
	FencingToken FencingMode = "token"
	// FencingSeal writes the new token to the resource before the holder acts.
	FencingSeal FencingMode = "seal"
	// FencingTxn checks in one transaction with the lease itself.
	FencingTxn FencingMode = "txn"
)

// A Breach is what happens to a subject that flaps.
type Breach string

// What may happen.
const (
	BreachHold Breach = "hold"
	BreachPage Breach = "page"
)

// A Party is who may crash in the model.
type Party string

// The parties.
const (
	PartyConsumer Party = "consumer"
	PartyProducer Party = "producer"
	PartyMediator Party = "mediator"
)

// UnmarshalText accepts the constants of this type.
func (p *Permission) UnmarshalText(text []byte) error { return oneOf(p, text, p.names()) }

func (Permission) names() []string { return names([]Permission{Allow, Grace, Deny}, asText) }

// UnmarshalText accepts the constants of this type.
func (d *Discipline) UnmarshalText(text []byte) error { return oneOf(d, text, d.names()) }

func (Discipline) names() []string {
	return names([]Discipline{AnnounceFirst, ActFirst, Atomic}, asText)
}

// UnmarshalText accepts the constants of this type.
func (k *SubjectKind) UnmarshalText(text []byte) error { return oneOf(k, text, k.names()) }

func (SubjectKind) names() []string {
	return names([]SubjectKind{Instance, Group, Flag, Table, Function, Policy, Pipeline, Stage}, asText)
}

// UnmarshalText accepts the constants of this type.
func (c *Channel) UnmarshalText(text []byte) error { return oneOf(c, text, c.names()) }

func (Channel) names() []string {
	return names([]Channel{ObservesEddy, ObservesEndpointSlice, ObservesLBAPI, ObservesHeader}, asText)
}

// UnmarshalText accepts the constants of this type.
func (m *AckMode) UnmarshalText(text []byte) error { return oneOf(m, text, m.names()) }

func (AckMode) names() []string { return names([]AckMode{AckQuiesced, AckApplied, AckNone}, asText) }

// UnmarshalText accepts the constants of this type.
func (s *Settle) UnmarshalText(text []byte) error { return oneOf(s, text, s.names()) }

func (Settle) names() []string { return names([]Settle{SettleRequired, SettleSkip}, asText) }

// UnmarshalText accepts the constants of this type.
func (v *PairingVerdict) UnmarshalText(text []byte) error { return oneOf(v, text, v.names()) }

func (PairingVerdict) names() []string { return names([]PairingVerdict{Tolerate, Forbid}, asText) }

// UnmarshalText accepts the constants of this type.
func (m *FencingMode) UnmarshalText(text []byte) error { return oneOf(m, text, m.names()) }

func (FencingMode) names() []string {
	return names([]FencingMode{FencingNone, FencingToken, FencingSeal, FencingTxn}, asText)
}

// UnmarshalText accepts the constants of this type.
func (b *Breach) UnmarshalText(text []byte) error { return oneOf(b, text, b.names()) }

func (Breach) names() []string { return names([]Breach{BreachHold, BreachPage}, asText) }

// UnmarshalText accepts the constants of this type.
func (p *Party) UnmarshalText(text []byte) error { return oneOf(p, text, p.names()) }

func (Party) names() []string {
	return names([]Party{PartyConsumer, PartyProducer, PartyMediator}, asText)
}

// A named value is one of few, for the schema.
type named interface{ names() []string }

func asText[S ~string](s S) string { return string(s) }

// oneOf sets to to text if that is among the names. An error says what is wanted.
func oneOf[S ~string](to *S, text []byte, names []string) error {
	if !slices.Contains(names, string(text)) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
	}
	*to = S(text)
	return nil
}
