package phase

import (
	"hash/crc32"
	"time"

	"example.test/eddy/phase/wire"
)

// maxAcks bounds how many acknowledgements one confirm carries; the rest follow
// with the next.
const maxAcks = 500

// pendingAcks are the acknowledgements that the mediator may not have.
func (w *Watch) pendingAcks() (int64, []wire.Ack) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var acks []wire.Ack
	for key, f := range w.subjects {
		ack := wire.Ack{Key: key, Applied: uint64(f.belief.Epoch), Quiesced: uint64(f.belief.Acked)}
		if f.belief.Held && ack != f.acked && len(acks) < maxAcks {
			acks = append(acks, ack)
		}
	}
	return w.have, acks
}

// acknowledge sees to it that what was acknowledged is sent: at once, or where
// there are many consumers, at this one's place in the time that they share. The
// caller holds the lock.
func (w *Watch) acknowledge() {
	if w.spread == 0 {
		w.confirmNow()
		return
	}
	if w.acking {
		return
	}
	w.acking = true
	const places = 1 << 10
	place := crc32.ChecksumIEEE([]byte(w.consumer)) % places
	time.AfterFunc(w.spread*time.Duration(place)/places, func() {
		w.mu.Lock()
		w.acking = false
		w.mu.Unlock()
		if _, acks := w.pendingAcks(); len(acks) > 0 { // else a confirm took it along meanwhile
			w.confirmNow()
		}
	})
}
