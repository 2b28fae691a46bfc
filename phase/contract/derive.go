package contract

import (
	"slices"
	"time"
)

// A Step is what a transition takes away and gives, and so in which order it has
// to be announced and made.
type Step struct {
	From, To PhaseName
	// Loss are the actions that some role does while it believes in From, and that
	// From permits and To denies. Gain are those that some role does while it
	// believes in To, and that To permits and From denies.
	Loss, Gain []string
	// Discipline is what follows: with losses announce first, with gains act first,
	// into exclusive phases atomic. Any order is right if Free, and then it is
	// AnnounceFirst. With both, Conflict, no order is.
	Discipline Discipline
	Free       bool
	Conflict   bool
}

// Derive computes the step between two phases.
//
// A lost action must not be denied while anybody may still believe that it is
// permitted, so the news goes first and the act waits for it. A gained action
// must be permitted before anybody believes so, so the act goes first. If one
// step does both, somebody is wrong in either order: a phase that permits both
// has to stand between, see [Contract.Overlap]. Fenced actions of exclusive
// phases are exempt: a lease can be lost without notice, and then it is the
// resource that refuses.
func (c *Contract) Derive(from, to PhaseName) Step {
	s := Step{From: from, To: to, Discipline: AnnounceFirst}
	for _, action := range c.ActionNames() {
		if c.Exempt(action) {
			continue
		}
		before, after := c.Permits(from, action), c.Permits(to, action)
		if before != Deny && after == Deny && c.anyoneDoes(action, from) {
			s.Loss = append(s.Loss, action)
		}
		if before == Deny && after != Deny && c.anyoneDoes(action, to) {
			s.Gain = append(s.Gain, action)
		}
	}
	switch {
	case c.Exclusive(to):
		s.Discipline = Atomic
	case len(s.Loss) > 0 && len(s.Gain) > 0:
		s.Conflict = true
	case len(s.Gain) > 0:
		s.Discipline = ActFirst
	case len(s.Loss) == 0:
		s.Free = true
	}
	return s
}

// Overlap returns the phase that has to stand between two when their step is a
// conflict: it permits what either does. From one into it is act first, from it
// to the other announce first.
func (c *Contract) Overlap(from, to PhaseName) Phase {
	a, _ := c.Phase(from)
	b, _ := c.Phase(to)
	between := Phase{Name: from + "_AND_" + to, Order: b.Order, Permissions: map[string]Permission{}}
	for name, permission := range a.Permissions {
		between.Permissions[name] = permission
		if b.Permissions[name] == Allow || permission == Deny && b.Permissions[name] == Grace {
			between.Permissions[name] = b.Permissions[name]
		}
	}
	return between
}

// Exempt reports whether it is the resource that refuses an action, by its token,
// whatever phase is believed or in force.
func (c *Contract) Exempt(action string) bool {
	return c.Exclusivity != nil && c.Exclusivity.Fencing.Required && c.Actions[action].Fenced
}

func (c *Contract) anyoneDoes(action string, believed PhaseName) bool {
	return slices.ContainsFunc(c.Roles.Consumers, func(r Consumer) bool { return r.DoesIn(action, believed) })
}

// Permits returns what a phase says to an action. What is not known is denied.
func (c *Contract) Permits(phase PhaseName, action string) Permission {
	p, _ := c.Phase(phase)
	if permission, ok := p.Permissions[c.Actions[action].Requires]; ok {
		return permission
	}
	return Deny
}

// BeliefBound is the longest a belief of the role can last, on a producer's
// clock, from when its confirm was sent: the TTL, where the consumer's clock runs
// slow and the producer's fast. For a role that does not observe eddy it is the
// bound that it is assumed to keep.
func (c *Contract) BeliefBound(r Consumer) time.Duration {
	if !r.Acknowledges() {
		return r.AssumedBound
	}
	return stretch(r.BeliefTTL, 2*c.Propagation.ClockDrift)
}

// Wait is how long after a commit an action can still arrive that the role began
// under the phase before: the belief, and the flight.
func (c *Contract) Wait(r Consumer) time.Duration {
	return c.BeliefBound(r) + c.Propagation.MaxFlight
}

// stretch is d*(1+ratio), rounded up to a microsecond so that no binary fraction
// shows.
func stretch(d time.Duration, ratio float64) time.Duration {
	longer := time.Duration(float64(d) * (1 + ratio))
	return (longer + time.Microsecond - 1).Truncate(time.Microsecond)
}

// A Verdict judges one interaction.
type Verdict string

// The verdicts.
const (
	// VerdictOK is permitted, and the caller believed so.
	VerdictOK Verdict = "ok"
	// VerdictTolerated came late, within the time that grace leaves.
	VerdictTolerated Verdict = "tolerated"
	// VerdictMismatch should not have been sent, or came after the time of grace.
	VerdictMismatch Verdict = "mismatch"
	// VerdictRefused was denied by the actual phase.
	VerdictRefused Verdict = "refused"
	// VerdictUnannotated did not say what the caller believed.
	VerdictUnannotated Verdict = "unannotated"
)

// An Interaction is an action that arrives.
type Interaction struct {
	Role, Action string
	Actual       PhaseName
	// Since is how long the actual phase has been in force.
	Since time.Duration
	// Believed is the phase that the caller believes in, if Known.
	Believed PhaseName
	Known    bool
}

// Judge returns the verdict on an interaction of a role that says what it
// believes. An action or phase that the contract does not have is refused.
func (c *Contract) Judge(i Interaction) Verdict {
	permission := c.Permits(i.Actual, i.Action)
	if permission == Deny {
		return VerdictRefused
	}
	role, ok := c.Consumer(i.Role)
	if !ok {
		return VerdictMismatch
	}
	pairing, listed := c.pairing(i)
	does := i.Known && role.DoesIn(i.Action, i.Believed) || !i.Known && role.DoesUnknown(i.Action)
	switch {
	case listed && pairing.Verdict == Forbid, !does:
		return VerdictMismatch
	case permission == Allow:
		return VerdictOK
	case i.Since <= c.grace(pairing, listed):
		return VerdictTolerated
	}
	return VerdictMismatch
}

func (c *Contract) pairing(i Interaction) (Pairing, bool) {
	at := slices.IndexFunc(c.Pairings, func(p Pairing) bool {
		return i.Known && p.Actual == i.Actual && p.Believed == i.Believed && p.Role == i.Role
	})
	if at < 0 {
		return Pairing{}, false
	}
	return c.Pairings[at], true
}

// GraceFor is for how long after a phase came into force what a role still sends
// under another one is tolerated: that of its pairings which tolerates longest.
func (c *Contract) GraceFor(role string, actual PhaseName) time.Duration {
	longest, any := time.Duration(0), false
	for _, p := range c.Pairings {
		if p.Role == role && p.Actual == actual && p.Verdict == Tolerate {
			longest, any = max(longest, c.grace(p, true)), true
		}
	}
	if any {
		return longest
	}
	return c.Propagation.Bound
}

// grace is for how long after a phase began a late action is tolerated.
func (c *Contract) grace(p Pairing, listed bool) time.Duration {
	if listed && p.For > 0 {
		return p.For
	}
	return c.Propagation.Bound
}
