package mediator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"example.test/eddy/phase/wire"
)

// leaseKey is where a subject's lease is. The revision at which the key began to
// exist is the token: it grows from tenure to tenure and stays for one.
func leaseKey(contractName, key string) string {
	return "lease/" + contractName + "/" + wire.Hash(key)
}

// A holding is what a lease's key holds.
type holding struct {
	Key    string `json:"key"`
	Holder string `json:"holder"`
}

// Acquire gives the lease of a subject to a holder if it is free, or tells who
// has it. A holder that asks again gets the tenure that it has.
func (m *Mediator) Acquire(ctx context.Context, q wire.LeaseRequest, sender string) (wire.LeaseState, error) {
	c, err := m.exclusive(ctx, q)
	if err != nil {
		return wire.LeaseState{}, err
	}
	defer m.mu.Unlock()
	ttl := c.contract.Exclusivity.Lease.TTL
	key := leaseKey(q.Contract, q.Key)
	if state, held, err := m.holder(ctx, key, q.Holder); err != nil || held {
		state.TTL = ttl.Milliseconds()
		return state, err
	}
	id, err := m.config.State.Grant(ctx, ttl)
	if err != nil {
		return wire.LeaseState{}, unavailable(err)
	}
	data, err := json.Marshal(holding{Key: q.Key, Holder: q.Holder})
	if err != nil {
		return wire.LeaseState{}, fmt.Errorf("lease %s: %w", q.Key, err)
	}
	entry, puts, drop := m.audit.next(wire.Entry{What: "lease", Contract: c.contract.ID(), Key: q.Key, To: "acquired", Sender: sender, Detail: clip(q.Holder)})
	revision, ok, err := m.commit(ctx, []Condition{{Key: key}}, append(puts, Put{Key: key, Data: data, Lease: id}), drop...)
	if err != nil || !ok {
		_ = m.config.State.Revoke(ctx, id) // it ends by itself
		if err == nil {
			err = unavailable(errOvertaken)
		}
		return wire.LeaseState{}, err
	}
	m.audit.done(entry)
	return wire.LeaseState{Holder: q.Holder, Token: uint64(revision), TTL: ttl.Milliseconds()}, nil
}

// holder tells who has a lease, with the token if that is who asks.
func (m *Mediator) holder(ctx context.Context, key, asks string) (wire.LeaseState, bool, error) {
	v, _, err := m.config.State.Get(ctx, key)
	if err != nil {
		return wire.LeaseState{}, false, unavailable(err)
	}
	if v.Revision == 0 {
		return wire.LeaseState{}, false, nil
	}
	var h holding
	if err := json.Unmarshal(v.Data, &h); err != nil {
		return wire.LeaseState{}, false, unavailable(fmt.Errorf("lease %s: %w", key, err))
	}
	state := wire.LeaseState{Holder: h.Holder}
	if h.Holder == asks {
		state.Token = uint64(v.Created)
		if err := m.config.State.Renew(ctx, v.Lease); err != nil {
			return wire.LeaseState{}, false, unavailable(err)
		}
	}
	return state, true, nil
}

// Renew gives a tenure its time anew. A tenure that has ended is fence_stale.
func (m *Mediator) Renew(ctx context.Context, q wire.LeaseRequest) (wire.LeaseState, error) {
	c, err := m.exclusive(ctx, q)
	if err != nil {
		return wire.LeaseState{}, err
	}
	m.mu.Unlock()
	v, err := m.tenureOf(ctx, q)
	if err != nil {
		return wire.LeaseState{}, err
	}
	if err := m.config.State.Renew(ctx, v.Lease); err != nil {
		return wire.LeaseState{}, leaseError(q, err)
	}
	return wire.LeaseState{Holder: q.Holder, Token: q.Token, TTL: c.contract.Exclusivity.Lease.TTL.Milliseconds()}, nil
}

// Resign ends a tenure. One that has ended already is no error.
func (m *Mediator) Resign(ctx context.Context, q wire.LeaseRequest, sender string) error {
	c, err := m.exclusive(ctx, q)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	v, err := m.tenureOf(ctx, q)
	if why, ok := errors.AsType[*wire.Error](err); ok && why.Code == wire.CodeFenceStale {
		return nil // it has ended
	}
	if err != nil {
		return err
	}
	if err := m.config.State.Revoke(ctx, v.Lease); err != nil {
		return unavailable(err)
	}
	return m.note(ctx, wire.Entry{What: "lease", Contract: c.contract.ID(), Key: q.Key, To: "resigned", Token: q.Token, Sender: sender, Detail: clip(q.Holder)})
}

// tenureOf returns the lease's value if it is the tenure of the token.
func (m *Mediator) tenureOf(ctx context.Context, q wire.LeaseRequest) (Value, error) {
	v, _, err := m.config.State.Get(ctx, leaseKey(q.Contract, q.Key))
	if err != nil {
		return Value{}, unavailable(err)
	}
	if q.Token == 0 || v.Created != int64(q.Token) {
		return Value{}, &wire.Error{Code: wire.CodeFenceStale, Message: fmt.Sprintf("the tenure with token %d has ended; the current one is %d", q.Token, v.Created)}
	}
	return v, nil
}

// leaseError says why a lease was not renewed.
func leaseError(q wire.LeaseRequest, err error) error {
	if errors.Is(err, ErrLeaseEnded) {
		return &wire.Error{Code: wire.CodeFenceStale, Message: fmt.Sprintf("the tenure with token %d has ended", q.Token)}
	}
	return unavailable(err)
}

// exclusive finds the contract of a lease, and returns with the lock held.
func (m *Mediator) exclusive(ctx context.Context, q wire.LeaseRequest) (*contractState, error) {
	if q.Key == "" || q.Holder == "" || len(q.Key) > wire.MaxKey || len(q.Holder) > wire.MaxKey {
		return nil, &wire.Error{Code: wire.CodeMalformed, Message: fmt.Sprintf("key and holder must be given, with at most %d bytes", wire.MaxKey)}
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	c, err := m.contract(q.Contract)
	if err == nil && c.contract.Exclusivity == nil {
		err = &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("contract %s has no exclusivity, and so no lease", c.contract.ID())}
	}
	if err != nil {
		m.mu.Unlock()
		return nil, err
	}
	return c, nil
}
