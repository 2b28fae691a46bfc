// Package mediator commits announcements, hands out leases, and tells everyone.
//
// A mediator decides and tells; it never starts, stops or restarts anything. Of
// each subject it keeps one record: the phase that was announced last and its
// epoch, which grows by one with every commit. An announcement says which epoch
// it replaces, so two that race cannot both win, and one that is replayed or
// late changes nothing. Whoever asks (Confirm) is answered from a read that
// began after the question had come, and that is what a belief rests on.
//
// Many replicas can share a State, and one of them is the mediator: who holds
// the tenure. Every commit is conditional on it, and every answer to a
// confirmation is preceded by a look at it, so a replica that was deposed
// without noticing can neither commit nor confirm. The others answer not_active.
//
// What is in force is compared with what was announced, and asked for where it is
// not the same; see wire.Trouble for what that tells people.
//
// Who may hold a belief is registered in the State before it is answered, so a new
// tenure knows whom to wait for, for as long as a belief can last. What they have
// acknowledged they tell it again. Losing the State, or its quorum, stops commits
// and confirmations: beliefs end, and each contract says what its roles do then.
//
// Bounds: maxSubjects records and maxConsumers registrations are kept, more are
// refused with too_many; instances that ended are forgotten after forgetAfter.
// The audit log keeps auditEntries entries; the oldest go, and what is kept
// still verifies. Refusals beyond refusalsPerSecond are counted in the next
// entry and not written one by one.
package mediator

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
	"example.test/eddy/phase/wire"
)

const (
	maxSubjects       = 100_000
	maxConsumers      = 20_000
	maxStreams        = 5_000
	auditEntries      = 100_000
	refusalsPerSecond = 20
	forgetAfter       = time.Hour
	tenureTTL         = 5 * time.Second
	atOnce            = 100 // how much one commit may hold of what is not urgent
	tenureKey         = "tenure"
	retryTime         = time.Second
)

// Config is what a Mediator needs. State is required.
type Config struct {
	// Cluster is the audience that announcements must name. Default "eddy".
	Cluster string
	State   State
	// Alone says that no other replica can reach the state, so that the tenure is
	// taken at once instead of when the one before has ended.
	Alone bool
	// Committed is called after each commit, in order and under the mediator's
	// lock: it must not block or call back. Nil is not called.
	Committed func(wire.Record)
	// InUse gets each contract that is in use, at the start and when it changes. It
	// is called like Committed. Nil is not called.
	InUse func(*contract.Contract)
	// Event gets what happened as telemetry: commits and acknowledgements. It is
	// called like Committed. Nil is not called.
	Event func(*telemetry.Log)
	// Log gets what went wrong; default slog.Default.
	Log *slog.Logger
	// Registerer gets the mediator's figures; nil means none.
	Registerer prometheus.Registerer
}

// A Mediator is safe for concurrent use.
type Mediator struct {
	config  Config
	metrics metrics
	fresh   *batch[struct{}]  // looks whether this replica is still the mediator
	roll    *batch[enrolment] // writes registrations down

	mu sync.Mutex
	// tenure names this replica's time as the mediator; empty while it is not.
	tenure string
	since  time.Time // when the tenure began, by the local clock
	// stale says that a commit ended without telling whether it was done, so that
	// what is below must be read again.
	stale bool
	// failure is why the state did not answer last, at failedAt. Until retryTime has
	// passed nobody asks it again what was committed, since who asks holds up all
	// others: who comes next would wait for both, and has given up by then.
	failure   error
	failedAt  time.Time
	revision  int64
	gone      map[string]bool // registrations that are to be deleted from the state
	contracts map[string]*contractState
	guards    cel.Cache
	audit     auditLog
	feed      feed
}

// A contractState is the current version of a contract and its subjects.
type contractState struct {
	contract *contract.Contract
	text     []byte
	subjects map[string]*subject // by key
	// consumers are who has asked lately.
	consumers map[consumerID]*consumer
}

// A subject is a record and what goes with it.
type subject struct {
	record  wire.Record
	stored  int64 // the revision of the record in the state; 0 if it is not there
	pending *pending
	drift   drift
	// reported is the epoch that a producer has said last to be in force, and when.
	reported   uint64
	reportedAt time.Time
	refused    string      // what was refused last, of what passes with time
	flips      []time.Time // lately
	heldTill   time.Time
	waiters    map[chan struct{}]bool // told when an acknowledgement comes
}

// New returns a mediator that has not begun: see Run.
func New(c Config) (*Mediator, error) {
	if c.State == nil {
		return nil, errors.New("mediator state: none given")
	}
	c.State = bounded{c.State}
	c.Cluster = cmp.Or(c.Cluster, "eddy")
	c.Log = cmp.Or(c.Log, slog.Default())
	m := &Mediator{config: c, feed: feed{streams: make(map[*stream]bool)}, gone: make(map[string]bool)}
	m.fresh = newBatch(maxConsumers, func(ctx context.Context, _ []struct{}) error { return m.stillMine(ctx) })
	m.roll = newBatch(atOnce, m.enrol)
	var err error
	m.metrics, err = newMetrics(c.Registerer, m)
	return m, err
}

// Run takes the tenure, keeps it, and takes it again when it was lost, until ctx
// ends. Then it gives it back.
func (m *Mediator) Run(ctx context.Context) error {
	const again = time.Second
	for {
		if err := m.serve(ctx); err != nil && ctx.Err() == nil {
			m.config.Log.WarnContext(ctx, "phase mediator is not active; it tries again", "error", err)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return nil
		}
	}
}

// serve is one tenure. It returns why it ended.
func (m *Mediator) serve(ctx context.Context) error {
	lease, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		m.end()
		leave, stop := context.WithTimeout(context.WithoutCancel(ctx), tenureTTL)
		defer stop()
		if err := m.config.State.Revoke(leave, lease); err != nil {
			m.config.Log.WarnContext(ctx, "tenure not given back; it ends by itself", "error", err)
		}
	}()
	watching, unwatch := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { m.reconcile(watching) })
	defer watch.Wait()
	defer unwatch()
	tick := time.NewTicker(tenureTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := m.config.State.Renew(ctx, lease); errors.Is(err, ErrLeaseEnded) {
			return fmt.Errorf("tenure was lost: %w", err)
		} else if err != nil && ctx.Err() == nil {
			m.config.Log.WarnContext(ctx, "tenure not renewed", "error", err)
		}
		m.tidy(ctx)
	}
}

// begin takes the tenure and reads what is committed.
func (m *Mediator) begin(ctx context.Context) (LeaseID, error) {
	lease, err := m.config.State.Grant(ctx, tenureTTL)
	if err != nil {
		return 0, err
	}
	name := newID()
	ifs := []Condition{{Key: tenureKey}}
	if m.config.Alone {
		ifs = nil
	}
	_, ok, err := m.config.State.Commit(ctx, ifs, []Put{{Key: tenureKey, Data: []byte(name), Lease: lease}})
	if err == nil && !ok {
		err = errors.New("another replica is the mediator")
	}
	if err == nil {
		m.mu.Lock()
		err = m.load(ctx, name)
		m.mu.Unlock()
	}
	if err != nil {
		return 0, errors.Join(err, m.config.State.Revoke(ctx, lease))
	}
	return lease, nil
}

// end makes this replica one that answers not_active.
func (m *Mediator) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tenure = ""
	m.feed.close()
}

// load reads everything, and makes the tenure ours. The caller holds the lock.
func (m *Mediator) load(ctx context.Context, tenure string) error {
	contracts, err := m.readContracts(ctx)
	if err != nil {
		return err
	}
	records, revision, err := m.config.State.List(ctx, "s/")
	if err != nil {
		return err
	}
	for _, v := range records {
		var r wire.Record
		if err := json.Unmarshal(v.Data, &r); err != nil {
			return fmt.Errorf("record %s: %w", v.Key, err)
		}
		name, _ := splitID(r.Contract)
		c := contracts[name]
		if c == nil {
			return fmt.Errorf("record %s is of contract %s, which is not in the state", v.Key, r.Contract)
		}
		r.Revision = v.Revision
		c.subjects[r.Key] = &subject{record: r, stored: v.Revision}
	}
	if err := m.audit.load(ctx, m.config.State); err != nil {
		return err
	}
	if m.tenure != tenure {
		if err := m.readConsumers(ctx, contracts); err != nil {
			return err
		}
		m.tenure, m.since = tenure, time.Now()
		clear(m.gone) // who came back meanwhile is not gone; the others end anew
	} else {
		keepConsumers(contracts, m.contracts)
	}
	m.contracts, m.revision, m.stale = contracts, revision, false
	for _, c := range contracts {
		m.inUse(c.contract)
	}
	return nil
}

func (m *Mediator) inUse(c *contract.Contract) {
	if m.config.InUse != nil {
		m.config.InUse(c)
	}
}

// keepConsumers carries registrations over a reload within one tenure.
func keepConsumers(into, from map[string]*contractState) {
	for name, c := range from {
		if into[name] != nil {
			into[name].consumers = c.consumers
		}
	}
}

// lock returns with the lock held and this replica the mediator, or an error.
func (m *Mediator) lock(ctx context.Context) error {
	m.mu.Lock()
	switch {
	case m.tenure == "":
		m.mu.Unlock()
		return notActive()
	case !m.stale:
		return nil
	case time.Since(m.failedAt) < retryTime:
		defer m.mu.Unlock()
		return unavailable(m.failure)
	}
	// It is read for all, so it goes on when this one's caller leaves.
	if err := m.load(context.WithoutCancel(ctx), m.tenure); err != nil {
		m.failure, m.failedAt = err, time.Now()
		m.mu.Unlock()
		return unavailable(err)
	}
	return nil
}

// commit does puts and deletes if this replica is still the mediator. The
// caller holds the lock.
func (m *Mediator) commit(ctx context.Context, ifs []Condition, puts []Put, deletes ...string) (int64, bool, error) {
	ifs = append(ifs, Condition{Key: tenureKey, Data: []byte(m.tenure)})
	revision, ok, err := m.config.State.Commit(ctx, ifs, puts, deletes...)
	switch {
	case err != nil:
		m.stale = true // it may have been done all the same
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			m.failure, m.failedAt = err, time.Now()
		}
		return 0, false, unavailable(err)
	case ok:
		m.revision = revision
	default:
		m.stale = true
	}
	return revision, ok, nil
}

// stillMine reports whether this replica is the mediator, by a read that begins
// now.
func (m *Mediator) stillMine(ctx context.Context) error {
	m.mu.Lock()
	tenure := m.tenure
	m.mu.Unlock()
	v, _, err := m.config.State.Get(ctx, tenureKey)
	if err != nil {
		return unavailable(err)
	}
	if tenure == "" || string(v.Data) != tenure {
		return notActive()
	}
	return nil
}

func notActive() error {
	return &wire.Error{Code: wire.CodeNotActive, Message: "this replica is not the mediator: ask another one, or again in a second"}
}

// unavailable says that the state does not answer.
func unavailable(err error) error {
	return &wire.Error{Code: wire.CodeUnavailable, Message: "state: " + err.Error()}
}

// tidy forgets registrations that ended, and instances that ended long ago.
func (m *Mediator) tidy(ctx context.Context) {
	if m.lock(ctx) != nil {
		return
	}
	defer m.mu.Unlock()
	now := time.Now()
	var old []*subject
	for _, c := range m.contracts {
		m.expire(c, now)
		for _, s := range c.subjects {
			p, _ := c.contract.Phase(contract.PhaseName(s.record.Phase))
			if c.contract.Monotone && p.Terminal && s.record.Enforced == s.record.Epoch && now.Sub(s.record.CommittedAt) > forgetAfter && len(old) < atOnce {
				old = append(old, s)
			}
		}
	}
	for _, s := range old {
		name, _ := splitID(s.record.Contract)
		key := recordKey(name, s.record.Key)
		if _, ok, err := m.commit(ctx, []Condition{{Key: key, Revision: s.stored}}, nil, key); err != nil || !ok {
			return
		}
		delete(m.contracts[name].subjects, s.record.Key)
	}
	m.strike(ctx)
}
