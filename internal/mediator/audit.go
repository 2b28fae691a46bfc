package mediator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/phase/wire"
)

// errOvertaken says that a commit met a state that was changed by another.
var errOvertaken = errors.New("it was changed by another replica meanwhile; try again")

// auditLog is the end of the audit log, and the bound on refusals in it. The
// log is one chain for all subjects: in a chain for each, nobody would notice
// that a whole one is gone, and a forged announcement belongs to none.
type auditLog struct {
	sequence, first uint64
	hash            string

	second   time.Time // the second that refusals are counted in
	refusals int
	unlogged uint64
}

// auditHead holds a copy of the last entry.
const auditHead = "audithead"

func auditKey(sequence uint64) string { return fmt.Sprintf("audit/%020d", sequence) }

// load finds the ends of the log.
func (a *auditLog) load(ctx context.Context, s State) error {
	head, _, err := s.Get(ctx, auditHead)
	if err != nil || head.Revision == 0 {
		return err
	}
	var e wire.Entry
	if err := json.Unmarshal(head.Data, &e); err != nil {
		return fmt.Errorf("audit log: its head: %w", err)
	}
	a.sequence, a.hash = e.Sequence, e.Hash
	a.first = 1
	if e.Sequence > auditEntries {
		a.first = e.Sequence - auditEntries + 1
	}
	return nil
}

// next completes an entry, and returns what to put and what to delete with the
// commit that it tells of. done makes it the last one.
func (a *auditLog) next(e wire.Entry) (entry wire.Entry, puts []Put, drop []string) {
	e.Sequence, e.Previous, e.Unlogged = a.sequence+1, a.hash, a.unlogged
	e.Time = time.Now().UTC()
	e.Hash = e.Sum()
	data, err := json.Marshal(e)
	if err != nil {
		panic("BUG: audit entry as JSON: " + err.Error()) // it holds nothing that JSON cannot
	}
	if e.Sequence > auditEntries {
		drop = append(drop, auditKey(e.Sequence-auditEntries))
	}
	return e, []Put{{Key: auditKey(e.Sequence), Data: data}, {Key: auditHead, Data: data}}, drop
}

// done makes a committed entry the last one.
func (a *auditLog) done(e wire.Entry) {
	a.sequence, a.hash = e.Sequence, e.Hash
	a.unlogged -= e.Unlogged
	if e.Sequence > auditEntries {
		a.first = e.Sequence - auditEntries + 1 // those before were deleted with it
	}
}

// quota reports whether one more refusal may be written now, and counts it if
// not.
func (a *auditLog) quota(now time.Time) bool {
	if now.Sub(a.second) >= time.Second {
		a.second, a.refusals = now, 0
	}
	if a.refusals++; a.refusals > refusalsPerSecond {
		a.unlogged++
		return false
	}
	return true
}

// note writes an entry by itself. The caller holds the lock.
func (m *Mediator) note(ctx context.Context, e wire.Entry) error {
	entry, puts, drop := m.audit.next(e)
	_, ok, err := m.commit(ctx, nil, puts, drop...)
	if err != nil {
		return err
	}
	if !ok {
		return unavailable(errOvertaken)
	}
	m.audit.done(entry)
	return nil
}

// refuse writes to the audit log why an announcement was refused, and returns
// the refusal. The caller holds the lock.
func (m *Mediator) refuse(ctx context.Context, a wire.Announcement, sender string, why *wire.Error) error {
	m.metrics.refused(why.Code)
	if m.askedAgain(a, why) || !m.audit.quota(time.Now()) {
		return why
	}
	e := wire.Entry{
		What: "refused", Code: why.Code, Contract: clip(a.Contract), Key: clip(a.Subject), From: clip(a.From), To: clip(a.To),
		Token: a.Token, Sender: sender, Detail: clip(why.Message),
	}
	if a.Subject != "" {
		e.Epoch = a.Expected + 1
	}
	m.emit(attr.EventPhaseRejected, time.Now(), wire.Record{Contract: e.Contract, Key: e.Key}, e.Epoch, attr.PhaseCode, why.Code, attr.PhaseFrom, e.From, attr.PhaseTo, e.To)
	err := m.note(ctx, e)
	if err != nil {
		m.config.Log.ErrorContext(ctx, "refusal not in the audit log", "code", why.Code, "error", err)
	}
	return why
}

// askedAgain reports whether the same was refused for the same reason just before,
// a reason that passes with time: whoever waits for it asks again and again.
func (m *Mediator) askedAgain(a wire.Announcement, why *wire.Error) bool {
	name, _ := splitID(a.Contract)
	if m.contracts[name] == nil || m.contracts[name].subjects[a.Subject] == nil {
		return false
	}
	switch why.Code {
	case wire.CodeNotSettled, wire.CodeDwell, wire.CodeGuardFalse, wire.CodeHeld:
	default:
		return false
	}
	s := m.contracts[name].subjects[a.Subject]
	asked := fmt.Sprintf("%s %s %d", why.Code, a.To, a.Expected)
	again := s.refused == asked
	s.refused = asked
	return again
}

// clip bounds what a stranger can put into the log.
func clip(s string) string { return s[:min(len(s), 256)] }

// Audit returns up to limit entries after a sequence number, of one subject if
// key is not empty.
func (m *Mediator) Audit(ctx context.Context, after uint64, limit int, key string) ([]wire.Entry, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	first, last := m.audit.first, m.audit.sequence
	m.mu.Unlock()
	var entries []wire.Entry
	for n := max(after+1, first); n <= last && len(entries) < limit; n++ {
		v, _, err := m.config.State.Get(ctx, auditKey(n))
		if err != nil {
			return nil, unavailable(err)
		}
		if v.Revision == 0 {
			continue // pruned meanwhile, or lost: the chain tells
		}
		var e wire.Entry
		if err := json.Unmarshal(v.Data, &e); err != nil {
			return nil, unavailable(fmt.Errorf("audit entry %d: %w", n, err))
		}
		if key == "" || e.Key == key {
			entries = append(entries, e)
		}
	}
	return entries, nil
}
