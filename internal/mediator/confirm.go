package mediator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// registrationTime is how long a consumer counts that does not ask any more, if
// its beliefs do not last longer.
const registrationTime = 15 * time.Second

// ackTime is about what one acknowledgement costs, so that those of an
// announcement take no more than half a processor while they come in.
const ackTime = 250 * time.Microsecond

// countTime is how long to wait for more before acknowledgements are counted
// again, for each consumer that has to be asked, and settledTime how long who
// waits for all may be left without news of some.
const (
	countTime   = 5 * time.Microsecond
	settledTime = 50 * time.Millisecond
)

// maxMissing is how many consumers are named of those that have not
// acknowledged.
const maxMissing = 20

// Confirm answers what is committed, as of a read that begins after the call,
// and takes acknowledgements.
func (m *Mediator) Confirm(ctx context.Context, q wire.ConfirmRequest) (wire.Confirm, error) {
	if q.Consumer == "" || q.Role == "" {
		return wire.Confirm{}, &wire.Error{Code: wire.CodeMalformed, Message: "consumer and role must be given"}
	}
	registration, unwritten, err := m.register(ctx, q)
	if err == nil && unwritten != nil {
		err = m.roll.join(ctx, *unwritten)
	}
	if err == nil {
		err = m.fresh.join(ctx, struct{}{})
	}
	if err != nil {
		return wire.Confirm{}, err
	}
	if err := m.lock(ctx); err != nil {
		return wire.Confirm{}, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(q.Contract)
	if err != nil {
		return wire.Confirm{}, err
	}
	answer := wire.Confirm{
		Revision: m.revision, Full: q.Have == 0 || q.Have > m.revision, Registration: registration,
		AckWithin: (time.Duration(len(c.consumers)) * ackTime).Milliseconds(),
	}
	if !answer.Full && q.Have == m.revision {
		return answer, nil
	}
	for _, s := range c.selected(q.Selector) {
		if answer.Full || s.record.Revision > q.Have {
			answer.Changed = append(answer.Changed, s.record)
		}
	}
	return answer, nil
}

// acknowledged tells who waits that the set of consumers has changed.
func (m *Mediator) acknowledged(c *contractState) {
	for _, s := range c.subjects {
		s.wake()
	}
}

// wake tells who waits for acknowledgements that there may be one.
func (s *subject) wake() {
	for w := range s.waiters {
		select {
		case w <- struct{}{}:
		default: // it has been told and will look
		}
	}
}

// selected returns the subjects that a selector takes and that were announced,
// sorted by key.
func (c *contractState) selected(selector string) []*subject {
	if s := c.subjects[selector]; s != nil {
		if s.record.Epoch == 0 {
			return nil
		}
		return []*subject{s}
	}
	var list []*subject
	for _, key := range slices.Sorted(maps.Keys(c.subjects)) {
		if s := c.subjects[key]; s.record.Epoch > 0 && wire.Selects(selector, key) {
			list = append(list, s)
		}
	}
	return list
}

// watching returns the consumers of a subject whose acknowledgements count.
func (c *contractState) watching(key string, now time.Time) map[consumerID]*consumer {
	list := make(map[consumerID]*consumer)
	for id, k := range c.consumers {
		role, _ := c.contract.Consumer(id.role)
		if role.Acknowledges() && !now.After(k.until) && wire.Selects(k.selector, key) {
			list[id] = k
		}
	}
	return list
}

// tally counts who of those that watch a subject has acknowledged an epoch. The
// caller holds the lock.
func tally(watching map[consumerID]*consumer, key string, epoch uint64) wire.Settled {
	var t wire.Settled
	for id, k := range watching {
		t.Registered++
		ack := k.acked[key]
		if ack.Applied >= epoch {
			t.Applied++
		}
		if ack.Quiesced >= epoch {
			t.Quiesced++
			continue
		}
		t.Missing = append(t.Missing, id.role+" "+id.name)
	}
	slices.Sort(t.Missing)
	t.Missing = t.Missing[:min(len(t.Missing), maxMissing)]
	return t
}

// acks are those of a tally that count for a transition.
func acks(t wire.Settled) protocol.Acks {
	return protocol.Acks{Registered: t.Registered, Applied: t.Applied, Quiesced: t.Quiesced}
}

// known is from when on the record's epoch was surely told to whoever asked: its
// commit, or the beginning of this tenure, since the clock of another replica
// says nothing about the time that has passed.
func (m *Mediator) known(s *subject) time.Time {
	if s.record.CommittedAt.Before(m.since) {
		return m.since
	}
	return s.record.CommittedAt
}

// longestWait is how long after a commit somebody may still act on what was
// before it.
func longestWait(c *contract.Contract) time.Duration {
	var longest time.Duration
	for _, r := range c.Roles.Consumers {
		longest = max(longest, c.Wait(r))
	}
	return longest
}

// Settled waits until all consumers of a subject have acknowledged an epoch, or
// some while after more have than the caller knows of, or the time is over, and
// says how many have.
func (m *Mediator) Settled(ctx context.Context, q wire.SettledRequest) (wire.Settled, error) {
	const longest = 15 * time.Second // what a web server lets a question take, and some
	ctx, stop := context.WithTimeout(ctx, min(time.Duration(q.Within)*time.Millisecond, longest))
	defer stop()
	wake := make(chan struct{}, 1)
	defer m.unwatch(q, wake)
	var partly <-chan time.Time
	for {
		t, again, err := m.askSettled(ctx, q, wake)
		applied := t.Applied == t.Registered && t.Applied > q.Applied
		if err != nil || t.Registered > 0 && (t.Quiesced == t.Registered || applied) {
			return t, err
		}
		if partly == nil && (t.Applied > q.Applied || t.Quiesced > q.Quiesced) {
			partly = time.After(settledTime)
		}
		select {
		case <-wake:
			<-time.After(time.Duration(t.Registered) * countTime)
		case <-again:
		case <-partly:
			return t, nil
		case <-ctx.Done():
			return t, nil
		}
	}
}

// askSettled looks once. again ends when a registration does.
func (m *Mediator) askSettled(ctx context.Context, q wire.SettledRequest, wake chan struct{}) (t wire.Settled, again <-chan time.Time, err error) {
	if err := m.lock(context.WithoutCancel(ctx)); err != nil {
		return t, nil, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(q.Contract)
	if err != nil {
		return t, nil, err
	}
	s := c.subjects[q.Key]
	if s == nil || s.record.Epoch < q.Epoch {
		return t, nil, &wire.Error{Code: wire.CodeEpochMismatch, Message: fmt.Sprintf("%s has no epoch %d", q.Key, q.Epoch)}
	}
	if s.waiters == nil {
		s.waiters = make(map[chan struct{}]bool)
	}
	s.waiters[wake] = true
	now := time.Now()
	watching := c.watching(q.Key, now)
	t = tally(watching, q.Key, q.Epoch)
	var first time.Time
	for _, k := range watching {
		if first.IsZero() || k.until.Before(first) {
			first = k.until
		}
	}
	if !first.IsZero() {
		again = time.After(first.Sub(now) + time.Millisecond)
	}
	return t, again, nil
}

func (m *Mediator) unwatch(q wire.SettledRequest, wake chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.contracts[q.Contract]; c != nil && c.subjects[q.Key] != nil {
		delete(c.subjects[q.Key].waiters, wake)
	}
}

// reportEvery is how often producers report what is in force, and reportSoon how
// often those of a subject that differs.
const (
	reportEvery = 10 * time.Second
	reportSoon  = time.Second
)

// Enforced notes that an epoch is in force.
func (m *Mediator) Enforced(ctx context.Context, q wire.Enforced, sender string) (wire.Reported, error) {
	if err := m.lock(ctx); err != nil {
		return wire.Reported{}, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(q.Contract)
	if err != nil {
		return wire.Reported{}, err
	}
	s := c.subjects[q.Key]
	if s == nil || q.Epoch > s.record.Epoch {
		return wire.Reported{}, &wire.Error{Code: wire.CodeEpochMismatch, Message: fmt.Sprintf("%s has no epoch %d", q.Key, q.Epoch)}
	}
	s.reported, s.reportedAt = q.Epoch, time.Now()
	answer := wire.Reported{Epoch: s.record.Epoch, Again: reportEvery.Milliseconds()}
	if s.drift.declared {
		answer.Again = reportSoon.Milliseconds()
	}
	if q.Epoch <= s.record.Enforced {
		return answer, nil // it was reported before
	}
	return answer, m.putEnforced(ctx, c, s, q, sender)
}

// putEnforced commits that an epoch is in force. The caller holds the lock.
func (m *Mediator) putEnforced(ctx context.Context, c *contractState, s *subject, q wire.Enforced, sender string) error {
	next := s.record
	next.Enforced = q.Epoch
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("record %s: %w", q.Key, err)
	}
	entry, puts, drop := m.audit.next(wire.Entry{What: "enforced", Contract: next.Contract, Key: q.Key, To: next.Phase, Epoch: q.Epoch, Sender: sender, Detail: clip(q.Cause)})
	key := recordKey(c.contract.Name, q.Key)
	revision, ok, err := m.commit(ctx, []Condition{{Key: key, Revision: s.stored}}, append(puts, Put{Key: key, Data: data}), drop...)
	if err != nil {
		return err
	}
	if !ok {
		return unavailable(errOvertaken)
	}
	m.audit.done(entry)
	next.Revision = revision
	s.record, s.stored = next, revision
	m.tell(s, false) // nobody acts on it
	return nil
}

// Subjects lists the records that a selector takes, with what is wrong with them.
func (m *Mediator) Subjects(ctx context.Context, contractName, selector string) ([]wire.Standing, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	list := []wire.Standing{}
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(m.contracts)) {
		if contractName != "" && contractName != name {
			continue
		}
		c := m.contracts[name]
		for _, s := range c.selected(selector) {
			list = append(list, wire.Standing{Record: s.record, Troubles: m.troubles(c, s, now)})
		}
	}
	return list, nil
}
