// Package protocol says how phases are announced, believed and held, as pure
// functions from a state and what happened to the next state and what to do.
//
// There are five small machines. A [Record] is what the mediator keeps of a
// subject, and decides whether an announcement is committed. A [Producer] puts
// phases in force, before or after they are announced. A [Belief] is what one
// consumer process holds true of a subject, and when that ends. A [Tenure] is one
// candidate's view of a lease, and a [Resource] what a lease protects.
//
// The SDK, the mediator and the model checker all run this code: around it the
// first two move bytes, and the third tries every order in which that can happen.
// Nothing here waits, starts a goroutine or reads a clock. Every time is a
// [time.Duration] on one clock of whoever owns the state, since any origin; only
// differences count, so the checker uses ticks. States are values that can be
// compared and copied, and are safe to share.
//
// The rules that the model checker forced, each of which has a counterexample
// when it is left out:
//
//   - A belief ends BeliefTTL after the confirm that established it was sent, not
//     after the reply arrived, and a push does not renew it.
//   - The highest epoch seen outlives the belief, or a late reply would revive a
//     phase that is gone.
//   - A new phase is acknowledged only when nothing begun under an older one is
//     open.
//   - The wait after a commit includes the flight of what was sent last.
//   - Nothing new is announced, or done, before the last announcement has settled.
//   - A consumer that restarts is another consumer: its old registration has to
//     end, since what it sent before the crash may still be on its way.
package protocol

import "time"

// An Epoch numbers the announcements of one subject, from 1 up without holes. 0
// is the initial phase, which nobody announced.
type Epoch uint64

// Acks is how many of the consumers that were registered at a commit have
// acknowledged its epoch.
type Acks struct {
	Registered int
	// Applied believe the epoch or a later one. Quiesced moreover have nothing open
	// that they began under an earlier one.
	Applied, Quiesced int
}

// All reports whether every consumer has quiesced. With none registered it is not
// known who acts, so that only time counts.
func (a Acks) All() bool { return a.Registered > 0 && a.Quiesced >= a.Registered }

// AllApplied reports whether every consumer believes the epoch.
func (a Acks) AllApplied() bool { return a.Registered > 0 && a.Applied >= a.Registered }

// elapsed reports whether more than d has passed since at. It is strict because a
// belief still holds, and a request may still arrive, in the last instant.
func elapsed(now, at, d time.Duration) bool { return now-at > d }
