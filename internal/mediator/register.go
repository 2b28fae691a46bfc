package mediator

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.test/eddy/phase/wire"
)

type consumerID struct{ role, name string }

// A consumer is who asks, and so may hold beliefs.
type consumer struct {
	registration  string
	written       bool // the state has the registration as it is
	selector      string
	until         time.Time // when it counts no more, unless it asks again
	reads, writes []string
	acked         map[string]wire.Ack // by key
}

// A registration is what the state has of a consumer.
type registration struct {
	Role     string   `json:"role"`
	Consumer string   `json:"consumer"`
	Selector string   `json:"select"`
	Reads    []string `json:"version_reads,omitempty"`
	Writes   []string `json:"version_writes,omitempty"`
}

// An enrolment is a registration on its way to the state.
type enrolment struct {
	consumer *consumer
	put      Put
}

func registrationKey(contractName string, id consumerID) string {
	return "c/" + contractName + "/" + wire.Hash(id.role+"\x00"+id.name)
}

// register notes who asks before the read: whoever may get a belief counts from
// before it has one. unwritten is what the state has to have first, nil if it does.
func (m *Mediator) register(ctx context.Context, q wire.ConfirmRequest) (name string, unwritten *enrolment, err error) {
	if err := m.lock(ctx); err != nil {
		return "", nil, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(q.Contract)
	if err != nil {
		return "", nil, err
	}
	role, ok := c.contract.Consumer(q.Role)
	if !ok {
		return "", nil, &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("contract %s has no consumer %q", c.contract.ID(), q.Role)}
	}
	id := consumerID{q.Role, q.Consumer}
	key := registrationKey(c.contract.Name, id)
	if q.Leaving {
		delete(c.consumers, id)
		m.gone[key] = true
		m.acknowledged(c)
		return "", nil, nil
	}
	k := c.consumers[id]
	if k == nil {
		if len(c.consumers) >= maxConsumers {
			return "", nil, &wire.Error{Code: wire.CodeTooMany, Message: fmt.Sprintf("%d consumers are registered, and no more fit", maxConsumers)}
		}
		k = &consumer{registration: newID(), acked: make(map[string]wire.Ack)}
		c.consumers[id] = k
	}
	delete(m.gone, key)
	k.until = time.Now().Add(max(registrationTime, c.contract.Wait(role)))
	if k.selector != q.Selector || !slices.Equal(k.reads, q.Reads) || !slices.Equal(k.writes, q.Writes) {
		k.selector, k.reads, k.writes, k.written = q.Selector, q.Reads, q.Writes, false
	}
	m.acknowledge(c, k, id, q)
	if k.written {
		return k.registration, nil, nil
	}
	data, err := json.Marshal(registration{q.Role, q.Consumer, q.Selector, q.Reads, q.Writes})
	if err != nil {
		return "", nil, fmt.Errorf("registration of %s: %w", q.Consumer, err)
	}
	return k.registration, &enrolment{k, Put{Key: key, Data: data}}, nil
}

// acknowledge takes what a consumer has acknowledged. The caller holds the lock.
func (m *Mediator) acknowledge(c *contractState, k *consumer, id consumerID, q wire.ConfirmRequest) {
	for _, ack := range q.Acks {
		s := c.subjects[ack.Key]
		if s == nil || !wire.Selects(q.Selector, ack.Key) || max(ack.Applied, ack.Quiesced) > s.record.Epoch {
			continue
		}
		before := k.acked[ack.Key]
		ack.Applied, ack.Quiesced = max(ack.Applied, before.Applied), max(ack.Quiesced, before.Quiesced)
		if ack != before {
			k.acked[ack.Key] = ack
			s.wake()
		}
		if ack.Quiesced > before.Quiesced {
			m.emitAcked(s.record, ack.Quiesced, id)
		}
	}
}

// enrol writes registrations to the state.
func (m *Mediator) enrol(ctx context.Context, all []enrolment) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	puts := make([]Put, 0, len(all))
	for _, e := range all {
		puts = append(puts, e.put)
	}
	_, ok, err := m.commit(ctx, nil, puts)
	if err != nil {
		return err
	}
	if !ok {
		return notActive() // nothing else was a condition
	}
	for _, e := range all {
		e.consumer.written = true
	}
	return nil
}

// readConsumers reads who was registered in the tenure before. They count for as
// long as they may believe what they were told then, and longer if they come back.
func (m *Mediator) readConsumers(ctx context.Context, contracts map[string]*contractState) error {
	values, _, err := m.config.State.List(ctx, "c/")
	if err != nil {
		return err
	}
	now := time.Now()
	for _, v := range values {
		name, _, _ := strings.Cut(strings.TrimPrefix(v.Key, "c/"), "/")
		var r registration
		if err := json.Unmarshal(v.Data, &r); err != nil {
			return fmt.Errorf("registration %s: %w", v.Key, err)
		}
		c := contracts[name]
		if c == nil {
			return fmt.Errorf("registration %s is of contract %s, which is not in the state", v.Key, name)
		}
		c.consumers[consumerID{r.Role, r.Consumer}] = &consumer{
			registration: newID(), written: true, selector: r.Selector, reads: r.Reads, writes: r.Writes,
			until: now.Add(longestWait(c.contract)), acked: make(map[string]wire.Ack),
		}
	}
	return nil
}

// expire forgets consumers that have not asked for long.
func (m *Mediator) expire(c *contractState, now time.Time) {
	gone := false
	for id, k := range c.consumers {
		if now.After(k.until) {
			delete(c.consumers, id)
			m.gone[registrationKey(c.contract.Name, id)] = true
			gone = true
			continue
		}
		maps.DeleteFunc(k.acked, func(key string, _ wire.Ack) bool { return c.subjects[key] == nil })
	}
	if gone {
		m.acknowledged(c)
	}
}

// strike deletes registrations that ended from the state, some at a time. The
// caller holds the lock.
func (m *Mediator) strike(ctx context.Context) {
	const most = 10
	for range most {
		var keys []string
		for key := range m.gone {
			if keys = append(keys, key); len(keys) == atOnce {
				break
			}
		}
		if len(keys) == 0 {
			return
		}
		if _, ok, err := m.commit(ctx, nil, nil, keys...); err != nil || !ok {
			return // with the next tidying
		}
		for _, key := range keys {
			delete(m.gone, key)
		}
	}
}
