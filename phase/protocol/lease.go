package protocol

import "time"

// A Token numbers the holders of a lease: a later one has a larger token. 0 is
// none.
type Token uint64

// A Rank is how far a candidate is.
type Rank uint8

// The ranks.
const (
	RankFollower Rank = iota
	// RankAcquiring holds the lease and has not sealed the resource.
	RankAcquiring
	// RankLeader may act.
	RankLeader
)

// A Tenure is one candidate's view of a lease. The zero value is a follower.
type Tenure struct {
	Rank  Rank
	Token Token
	// Renewed is when the last renewal that succeeded was sent, on the candidate's
	// own clock.
	Renewed time.Duration
}

// TenureRules are the bounds of a tenure.
type TenureRules struct {
	// RenewDeadline is how long a candidate may act after the last renewal that
	// succeeded was sent. It is shorter than the lease by more than the clocks can
	// disagree.
	RenewDeadline time.Duration
	// Seal says that a candidate writes its token to the resource before it leads.
	Seal bool
}

// A TenureEvent is what happens to a candidate.
type TenureEvent uint8

// The events.
const (
	// TenureTick is the passing of time.
	TenureTick TenureEvent = iota
	// TenureGranted is the lease: Token, Sent.
	TenureGranted
	// TenureSealed says that the resource has the token.
	TenureSealed
	// TenureRenewed is the answer to a renewal: Token, Sent.
	TenureRenewed
	// TenureResigned gives the lease up.
	TenureResigned
)

// TenureInput is an event with what belongs to it.
type TenureInput struct {
	Event TenureEvent
	Now   time.Duration
	Sent  time.Duration
	Token Token
}

// TenureOutput is what follows.
type TenureOutput struct {
	// Seal asks to write the token to the resource. Leads says that the candidate
	// has begun to lead, Lost that it no longer holds the lease.
	Seal, Leads, Lost bool
}

// Step returns the tenure after an event. Whatever the event, a tenure whose
// deadline has passed at Now ends first.
func (t Tenure) Step(r TenureRules, in TenureInput) (Tenure, TenureOutput) {
	var out TenureOutput
	if t.Rank != RankFollower && elapsed(in.Now, t.Renewed, r.RenewDeadline) {
		t, out.Lost = Tenure{}, true
	}
	switch {
	case in.Event == TenureGranted && t.Rank == RankFollower && !elapsed(in.Now, in.Sent, r.RenewDeadline):
		t = Tenure{Rank: RankAcquiring, Token: in.Token, Renewed: in.Sent}
		out.Lost = false
		if r.Seal {
			out.Seal = true
			break
		}
		t.Rank, out.Leads = RankLeader, true
	case in.Event == TenureSealed && t.Rank == RankAcquiring:
		t.Rank, out.Leads = RankLeader, true
	case in.Event == TenureRenewed && t.Rank != RankFollower && in.Token == t.Token:
		t.Renewed = max(t.Renewed, in.Sent)
	case in.Event == TenureResigned && t.Rank != RankFollower:
		t, out.Lost = Tenure{}, true
	}
	return t, out
}

// MayAct reports whether the holder may begin to act at now. What it begins may
// still arrive after the lease is lost, which is why a [Resource] checks.
func (t Tenure) MayAct(r TenureRules, now time.Duration) bool {
	return t.Rank == RankLeader && !elapsed(now, t.Renewed, r.RenewDeadline)
}

// A Check is how a resource judges tokens.
type Check uint8

// The checks. Sealing is CheckToken with TenureRules.Seal.
const (
	// CheckNone takes every write.
	CheckNone Check = iota
	// CheckToken refuses a token smaller than the largest one met.
	CheckToken
	// CheckTxn takes only the token of the lease's present holder, in one
	// transaction with the lease.
	CheckTxn
)

// A Resource is what a lease protects.
type Resource struct {
	// Max is the largest token met.
	Max Token
}

// Write returns the resource after a write with a token, and whether it took it.
// holder is the token of the lease's present holder, which only CheckTxn looks at.
func (r Resource) Write(check Check, token, holder Token) (Resource, bool) {
	switch {
	case check == CheckToken && token < r.Max, check == CheckTxn && token != holder:
		return r, false
	}
	r.Max = max(r.Max, token)
	return r, true
}

// Seal returns the resource once it has met a token, and whether that is the
// largest: if not, whoever seals has been overtaken.
func (r Resource) Seal(token Token) (Resource, bool) {
	if token < r.Max {
		return r, false
	}
	r.Max = token
	return r, true
}
