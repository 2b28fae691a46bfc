package mediator

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is where a mediator keeps what it must not forget. All reads see
// everything that was committed before they began, and commits happen one after
// the other. Package mediator/etcd has the one for production; Memory is for
// tests and for a mediator that may forget.
type State interface {
	// Get returns one value, and the revision of the whole state at the time. A
	// key that is not there gives a Value of revision 0.
	Get(ctx context.Context, key string) (Value, int64, error)
	// List returns all values below a prefix, sorted by key, and the revision of
	// the whole state.
	List(ctx context.Context, prefix string) ([]Value, int64, error)
	// Commit does all puts and deletes if all conditions hold, and reports whether
	// they did. The revision is that of the commit.
	Commit(ctx context.Context, ifs []Condition, puts []Put, deletes ...string) (revision int64, ok bool, err error)
	// Grant begins a lease. Values put under it go when it ends.
	Grant(ctx context.Context, ttl time.Duration) (LeaseID, error)
	// Renew gives it its time anew. The error is ErrLeaseEnded if it is too late.
	Renew(ctx context.Context, id LeaseID) error
	// Revoke ends it now.
	Revoke(ctx context.Context, id LeaseID) error
}

// ErrLeaseEnded says that a lease has expired or was revoked.
var ErrLeaseEnded = errors.New("lease has ended")

// A LeaseID names a lease of a State. 0 is none.
type LeaseID int64

// A Value is what a State holds under a key.
type Value struct {
	Key  string
	Data []byte
	// Created is the revision at which the key began to exist, and Revision that
	// of its last change; 0 if it does not exist.
	Created, Revision int64
	Lease             LeaseID
}

// A Condition must hold for a commit to be done. Exactly one field beside Key
// is looked at: Data if not nil, else Created if not 0, else Revision, where 0
// means that the key does not exist.
type Condition struct {
	Key      string
	Data     []byte
	Created  int64
	Revision int64
}

// A Put sets a value, under a lease if there is one.
type Put struct {
	Key   string
	Data  []byte
	Lease LeaseID
}

// Memory is a State that lives as long as the process. Leases end by the clock
// of package time. The zero value is ready.
type Memory struct {
	mu       sync.Mutex
	revision int64
	values   map[string]Value
	leases   map[LeaseID]lease
}

type lease struct {
	ttl  time.Duration
	ends time.Time
}

// Get implements State.
func (m *Memory) Get(ctx context.Context, key string) (Value, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	return m.values[key], m.revision, ctx.Err()
}

// List implements State.
func (m *Memory) List(ctx context.Context, prefix string) ([]Value, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	var list []Value
	for _, key := range slices.Sorted(maps.Keys(m.values)) {
		if strings.HasPrefix(key, prefix) {
			list = append(list, m.values[key])
		}
	}
	return list, m.revision, ctx.Err()
}

// Commit implements State.
func (m *Memory) Commit(ctx context.Context, ifs []Condition, puts []Put, deletes ...string) (int64, bool, error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	for _, c := range ifs {
		v := m.values[c.Key]
		held := v.Revision == c.Revision
		if c.Data != nil {
			held = v.Revision != 0 && bytes.Equal(v.Data, c.Data)
		} else if c.Created != 0 {
			held = v.Created == c.Created
		}
		if !held {
			return m.revision, false, nil
		}
	}
	for _, p := range puts {
		if _, ok := m.leases[p.Lease]; p.Lease != 0 && !ok {
			return 0, false, ErrLeaseEnded
		}
	}
	m.revision++
	for _, p := range puts {
		v := m.values[p.Key]
		if v.Revision == 0 {
			v.Created = m.revision
		}
		m.put(Value{Key: p.Key, Data: bytes.Clone(p.Data), Created: v.Created, Revision: m.revision, Lease: p.Lease})
	}
	for _, key := range deletes {
		delete(m.values, key)
	}
	return m.revision, true, nil
}

func (m *Memory) put(v Value) {
	if m.values == nil {
		m.values = make(map[string]Value)
	}
	m.values[v.Key] = v
}

// Grant implements State.
func (m *Memory) Grant(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases == nil {
		m.leases = make(map[LeaseID]lease)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	id := LeaseID(1)
	for _, b := range random[:7] {
		id = id<<8 | LeaseID(b)
	}
	m.leases[id] = lease{ttl, time.Now().Add(ttl)}
	return id, ctx.Err()
}

// Renew implements State.
func (m *Memory) Renew(ctx context.Context, id LeaseID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	l, ok := m.leases[id]
	if !ok {
		return ErrLeaseEnded
	}
	m.leases[id] = lease{l.ttl, time.Now().Add(l.ttl)}
	return ctx.Err()
}

// Revoke implements State.
func (m *Memory) Revoke(ctx context.Context, id LeaseID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.end(id)
	return ctx.Err()
}

// expire ends the leases whose time is over.
func (m *Memory) expire() {
	now := time.Now()
	for id, l := range m.leases {
		if !now.Before(l.ends) {
			m.end(id)
		}
	}
}

func (m *Memory) end(id LeaseID) {
	if _, ok := m.leases[id]; !ok {
		return
	}
	delete(m.leases, id)
	m.revision++
	maps.DeleteFunc(m.values, func(_ string, v Value) bool { return v.Lease == id })
}
