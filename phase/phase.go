// Package phase announces phases, learns others', and refuses work that a phase
// forbids.
//
// A subject is in one phase of a contract (package contract): a server that
// drains, a group that elects a leader, a table under migration. Its Producer
// changes the phase; a consumer's Watch holds what the consumer believes the
// phase to be; a mediator ("eddy serve") stands between them. A belief is a
// lease: it rests on an answer of the mediator, lasts for the contract's
// beliefTTL from when the question was sent, and then the phase is unknown, for
// which the contract says what to do. A producer that takes something away
// therefore announces it, waits until everyone has acknowledged or every older
// belief has ended, and only then does it (Producer.To). That needs no clocks
// that agree, only clocks whose rates are near each other.
//
//   - A server: Client.Producer, Producer.HTTP around its handler, and
//     Producer.ServeAndDrain in place of http.Server.Serve.
//   - A caller: Client.Watch, then Watch.Can or Watch.Transport.
//   - A leader: Client.Campaign, and Lease.Do around every write, with a
//     fence.Guard at the resource.
//   - A migration: Producer.To, whose guards the mediator evaluates.
//
// All types are safe for concurrent use. A Client owns few goroutines: one for
// each Watch that asks, one that listens for news, one for each Lease; Close ends
// them. What it keeps is one belief for each subject that it watches, at most
// maxSubjects; further ones are unknown.
//
// The package needs neither etcd nor gRPC. Guards for gRPC are in phase/phasegrpc.
package phase

import (
	"fmt"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// Name is a phase of a contract, as ACTIVE.
type Name = contract.PhaseName

// Verdict judges one interaction; see package contract.
type Verdict = contract.Verdict

// Epoch numbers the phases of a subject as they are committed; see package
// protocol.
type Epoch = protocol.Epoch

// Signer is a key that a producer signs with.
type Signer = wire.Signer

// Facts are what a producer tells the guards of a transition.
type Facts = wire.Facts

// A Subject is what has a phase: a contract's name, and a key in it.
type Subject struct {
	Contract string
	Key      string
}

// A View is what is known of a subject's phase.
type View struct {
	Subject
	Phase Name
	Epoch Epoch
	// Known is false if there never was a belief, or it has ended.
	Known bool
	// Last is the phase that was believed last, also when it is not Known.
	Last Name
	// Age is the time since the question was sent whose answer the belief rests
	// on; for a producer, since the phase is in force.
	Age time.Duration
	// Panic says that so many subjects are unknown that the channel must be what
	// is broken, and that Last is used for this reason.
	Panic bool
}

// String is for logs: "shop/cart/1 ACTIVE at epoch 2".
func (v View) String() string {
	if !v.Known {
		return fmt.Sprintf("%s unknown, last %s at epoch %d", v.Key, v.Last, v.Epoch)
	}
	return fmt.Sprintf("%s %s at epoch %d", v.Key, v.Phase, v.Epoch)
}
