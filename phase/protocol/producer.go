package protocol

import "time"

// A Stage is how far a producer is with a transition.
type Stage uint8

// The stages.
const (
	// StageSteady has nothing under way.
	StageSteady Stage = iota
	// StageAnnouncing has asked the mediator and has no answer.
	StageAnnouncing
	// StageWaiting has committed, and waits until nobody acts on the phase before.
	StageWaiting
	// StageActing makes true what the next phase promises, before announcing it.
	StageActing
)

// A Producer puts the phases of one subject in force. The zero value is one whose
// subject is in its initial phase.
type Producer struct {
	Stage Stage
	// ActFirst is the discipline of the transition under way: it was made before
	// it was announced.
	ActFirst bool
	// Epoch is the last one committed, Enforced the one in force.
	Epoch, Enforced Epoch
	// Committed is when the answer to the last announcement arrived: never before
	// the commit itself, so a wait that begins here ends late, not early.
	Committed time.Duration
	// Applied is when every consumer was first known to believe Epoch, if
	// AllApplied.
	Applied    time.Duration
	AllApplied bool
}

// ProducerRules are the bounds of the transition under way.
type ProducerRules struct {
	// AtMost is how long to wait for acknowledgements. 0 does not wait: nothing is
	// withdrawn.
	AtMost time.Duration
	// Quiesced and Applied say which acknowledgements may end the wait early; see
	// contract.Shortcut. After the latter, what was sent before still has MaxFlight
	// to arrive.
	Quiesced, Applied bool
	MaxFlight         time.Duration
}

// A ProducerEvent is what happens to a producer.
type ProducerEvent uint8

// The events.
const (
	// ProducerTick is the passing of time, with the acknowledgements known by now.
	ProducerTick ProducerEvent = iota
	// ProducerAnnounce starts a transition that is announced first.
	ProducerAnnounce
	// ProducerAct starts one that is made first. The caller knows from the mediator
	// that the announcement would be committed.
	ProducerAct
	// ProducerActed says that it is made.
	ProducerActed
	// ProducerCommitted is the mediator's yes: Epoch.
	ProducerCommitted
	// ProducerRefused is its no. What was made first stays made, and is announced
	// again.
	ProducerRefused
)

// ProducerInput is an event with what belongs to it.
type ProducerInput struct {
	Event ProducerEvent
	Now   time.Duration
	Epoch Epoch
	// Acks are those of Producer.Epoch.
	Acks Acks
}

// A Cause is what ended a producer's wait.
type Cause string

// The causes.
const (
	// CauseAcks is that everyone acknowledged.
	CauseAcks Cause = "acks"
	// CauseBound is that the time was over.
	CauseBound Cause = "bound"
	// CauseNone is that there was nothing to wait for.
	CauseNone Cause = "none"
)

// ProducerOutput is what follows.
type ProducerOutput struct {
	// Announce asks the mediator to commit the transition; Act makes it; Enforce
	// puts the committed phase in force, for the Cause given.
	Announce, Act, Enforce bool
	Cause                  Cause
}

// Step returns the producer after an event. Events that do not fit the stage
// change nothing.
func (p Producer) Step(r ProducerRules, in ProducerInput) (Producer, ProducerOutput) {
	var out ProducerOutput
	switch {
	case in.Event == ProducerAnnounce && p.Stage == StageSteady:
		p.Stage, p.ActFirst, out.Announce = StageAnnouncing, false, true
	case in.Event == ProducerAct && p.Stage == StageSteady:
		p.Stage, p.ActFirst, out.Act = StageActing, true, true
	case in.Event == ProducerActed && p.Stage == StageActing:
		p.Stage, out.Announce = StageAnnouncing, true
	case in.Event == ProducerRefused && p.Stage == StageAnnouncing:
		p.Stage = StageSteady
		if p.ActFirst {
			p.Stage, out.Announce = StageAnnouncing, true
		}
	case in.Event == ProducerCommitted && p.Stage == StageAnnouncing:
		p.Epoch, p.Committed = in.Epoch, in.Now
		p.Applied, p.AllApplied = 0, false
		if p.ActFirst {
			p.Stage, p.Enforced = StageSteady, p.Epoch
			out.Enforce, out.Cause = true, CauseNone
			break
		}
		p.Stage = StageWaiting
	}
	if p.Stage == StageWaiting {
		return p.wait(r, in, out)
	}
	return p, out
}

// wait puts the committed phase in force when nobody acts on the one before.
func (p Producer) wait(r ProducerRules, in ProducerInput, out ProducerOutput) (Producer, ProducerOutput) {
	acked := in.Event == ProducerTick // other events bring no acknowledgements of this epoch
	if acked && in.Acks.AllApplied() && !p.AllApplied {
		p.Applied, p.AllApplied = in.Now, true
	}
	switch {
	case r.AtMost == 0:
		out.Cause = CauseNone
	case r.Quiesced && acked && in.Acks.All(),
		r.Applied && p.AllApplied && elapsed(in.Now, p.Applied, r.MaxFlight):
		out.Cause = CauseAcks
	case elapsed(in.Now, p.Committed, r.AtMost):
		out.Cause = CauseBound
	default:
		return p, out
	}
	p.Stage, p.Enforced, out.Enforce = StageSteady, p.Epoch, true
	return p, out
}
