package protocol

import "time"

// A Record is what the mediator keeps of a subject. The zero value is a subject
// that was never announced.
type Record struct {
	Epoch Epoch
	// Committed is when Epoch was committed, on the mediator's clock.
	Committed time.Duration
}

// RecordRules are the bounds of a transition.
type RecordRules struct {
	// Wait is the longest that a belief in the phase before, and a request sent
	// under it, can last: contract.Wait of the slowest role that acknowledges.
	Wait time.Duration
	// Dwell is the least time since the last commit.
	Dwell time.Duration
	// SkipSettle lets the announcement through before the last one has settled.
	SkipSettle bool
}

// A Refusal is why an announcement is not committed. "" is none.
type Refusal string

// The refusals that the protocol knows. A mediator has more: keys, debounce,
// flapping, quorum.
const (
	// RefusalEpoch says that the announcement was made for another state than the
	// present one: it is a replay, or somebody was faster.
	RefusalEpoch Refusal = "epoch_mismatch"
	// RefusalSettle says that somebody may still believe the phase before.
	RefusalSettle Refusal = "not_settled"
	RefusalDwell  Refusal = "dwell"
	RefusalGuard  Refusal = "guard_false"
)

// An Announcement is what is asked of a record.
type Announcement struct {
	Now time.Duration
	// Expected is the epoch on which the announcement rests.
	Expected Epoch
	// Guard says whether the transition's guard holds.
	Guard bool
	// Acks are the acknowledgements of the record's epoch.
	Acks Acks
}

// Settled reports whether nobody can still act under an epoch before the
// record's: everyone has acknowledged, or the wait is over.
func (r Record) Settled(now, wait time.Duration, acks Acks) bool {
	return r.Epoch == 0 || acks.All() || elapsed(now, r.Committed, wait)
}

// Announce returns the record with the next epoch, or why it stays as it is. The
// caller commits it by compare-and-swap on what it read.
//
// With the same arguments it also says whether an announcement would be
// committed, which a producer asks before it acts.
func (r Record) Announce(rules RecordRules, a Announcement) (Record, Refusal) {
	switch {
	case a.Expected != r.Epoch:
		return r, RefusalEpoch
	case !rules.SkipSettle && !r.Settled(a.Now, rules.Wait, a.Acks):
		return r, RefusalSettle
	case r.Epoch > 0 && a.Now-r.Committed < rules.Dwell:
		return r, RefusalDwell
	case !a.Guard:
		return r, RefusalGuard
	}
	return Record{Epoch: r.Epoch + 1, Committed: a.Now}, ""
}
