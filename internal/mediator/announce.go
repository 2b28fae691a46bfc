package mediator

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
	"example.test/eddy/phase/wire"
)

// pendingTime is how long an announcement waits for the other keys that have to
// sign it.
const pendingTime = 5 * time.Minute

// pending is an announcement that is not committed yet.
type pending struct {
	announcement wire.Announcement
	keyIDs       []string
	since, seen  time.Time // when it was first and last asked for
}

// A request is an announcement on its way through the checks.
type request struct {
	wire.Announcement
	envelope   wire.Envelope
	sender     string
	now        time.Time
	state      *contractState
	contract   *contract.Contract
	transition contract.Transition
	subject    *subject
	keyIDs     []string
	lease      int64 // the token of the lease's present tenure; 0 if it is free
}

// Announce commits an announcement, or refuses it with a *wire.Error and
// changes nothing but the audit log. sender is who sent it, as the transport
// knows; who announced it is who signed. A dry run says what would happen and
// writes nothing at all.
func (m *Mediator) Announce(ctx context.Context, e wire.Envelope, sender string, dryRun bool) (wire.Receipt, error) {
	if err := m.lock(ctx); err != nil {
		return wire.Receipt{}, err
	}
	defer m.mu.Unlock()
	a, err := e.Peek()
	if err != nil {
		return wire.Receipt{}, m.refuse(ctx, a, sender, &wire.Error{Code: wire.CodeMalformed, Message: err.Error()})
	}
	r := &request{Announcement: a, envelope: e, sender: sender, now: time.Now()}
	for _, check := range []func(context.Context, *request) *wire.Error{
		m.checkContract, m.checkSignatures, m.checkTimes, m.checkSubject, m.checkLease, m.checkHeld, m.checkProtocol,
	} {
		why := check(ctx, r)
		switch {
		case why == nil:
		case dryRun:
			return wire.Receipt{}, why
		default:
			return wire.Receipt{}, m.refuse(ctx, a, sender, why)
		}
	}
	if dryRun {
		return wire.Receipt{Epoch: r.subject.record.Epoch, Registered: len(r.state.watching(r.Subject, r.now))}, nil
	}
	if wait, first := m.gather(r); wait != "" {
		var err error
		if first {
			err = m.note(ctx, r.entry("pending", wait))
		}
		return wire.Receipt{Epoch: r.subject.record.Epoch, Pending: wait}, err
	}
	return m.put(ctx, r)
}

// Unreadable writes to the audit log that an announcement could not be read, and
// returns why.
func (m *Mediator) Unreadable(ctx context.Context, sender string, why *wire.Error) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.refuse(ctx, wire.Announcement{}, sender, why)
}

func refusal(code, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// checkContract finds the contract and the transition.
func (m *Mediator) checkContract(_ context.Context, r *request) *wire.Error {
	if r.Audience != m.config.Cluster {
		return refusal(wire.CodeAudience, "it is for the mediator of %q, and this is %q", r.Audience, m.config.Cluster)
	}
	name, _ := splitID(r.Contract)
	r.state = m.contracts[name]
	if r.state == nil {
		return refusal(wire.CodeContract, "there is no contract %q", name)
	}
	r.contract = r.state.contract
	if r.contract.ID() != r.Contract || r.contract.Digest() != r.Digest {
		return refusal(wire.CodeContract, "%s with digest %.12s is not the current version, which is %s with digest %.12s", r.Contract, r.Digest, r.contract.ID(), r.contract.Digest())
	}
	return nil
}

// checkSignatures checks who signed and whether they may.
func (m *Mediator) checkSignatures(_ context.Context, r *request) *wire.Error {
	ids, err := r.envelope.Verify(keys(r.contract))
	if err != nil {
		return &wire.Error{Code: wire.CodeBadSignature, Message: err.Error()}
	}
	r.keyIDs = ids
	for _, id := range ids {
		i := slices.IndexFunc(r.contract.Announce.Keys, func(k contract.Key) bool { return k.ID == id })
		k := r.contract.Announce.Keys[i]
		if !k.NotBefore.IsZero() && r.now.Before(k.NotBefore) || !k.NotAfter.IsZero() && r.now.After(k.NotAfter) {
			return refusal(wire.CodeKeyExpired, "key %s is valid from %s to %s", id, day(k.NotBefore), day(k.NotAfter))
		}
		if why := allowed(r.contract, k, r.To, r.Subject); why != "" {
			return refusal(wire.CodeNotAllowed, "key %s may not announce %s of %s: %s", id, r.To, r.Subject, why)
		}
	}
	return nil
}

// allowed says why a key may not announce a phase of a subject, "" if it may.
func allowed(c *contract.Contract, k contract.Key, to, subject string) string {
	role := slices.ContainsFunc(c.Roles.Producers, func(p contract.Producer) bool {
		return slices.Contains(k.Roles, p.Name) && slices.Contains(p.Announces, contract.PhaseName(to))
	})
	switch {
	case !role:
		return "no role of the key announces it"
	case len(k.Phases) > 0 && !slices.Contains(k.Phases, contract.PhaseName(to)):
		return "the phase is not among those of the key"
	case len(k.Subjects) > 0 && !slices.ContainsFunc(k.Subjects, func(s string) bool { return wire.Selects(s, subject) }):
		return "the subject is not among those of the key"
	}
	return ""
}

func day(t time.Time) string {
	if t.IsZero() {
		return "always"
	}
	return t.UTC().Format(time.DateOnly)
}

// checkTimes refuses what was signed too long ago, or by a clock that is off.
func (m *Mediator) checkTimes(_ context.Context, r *request) *wire.Error {
	skew := r.contract.Announce.MaxSkew
	switch {
	case r.IssuedAt.Sub(r.now) > skew:
		return refusal(wire.CodeStale, "it is signed %s ahead of this clock, and %s is the most", r.IssuedAt.Sub(r.now).Round(time.Second), skew)
	case r.now.Sub(r.NotAfter) > skew:
		return refusal(wire.CodeStale, "it was to be used until %s", r.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkSubject compares what the sender thinks is committed with what is.
func (m *Mediator) checkSubject(_ context.Context, r *request) *wire.Error {
	r.subject = r.state.subjects[r.Subject]
	if r.subject == nil {
		if len(r.state.subjects) >= maxSubjects {
			return refusal(wire.CodeTooMany, "contract %s has %d subjects, and no more fit", r.Contract, maxSubjects)
		}
		r.subject = &subject{record: wire.Record{Contract: r.Contract, Key: r.Subject, Phase: string(r.contract.Initial)}}
	}
	now := r.subject.record
	if now.Epoch != r.Expected || now.Phase != r.From {
		why := refusal(wire.CodeEpochMismatch, "it replaces %s at epoch %d, and %s is at epoch %d", r.From, r.Expected, now.Phase, now.Epoch)
		why.Current = &now
		return why
	}
	t, ok := r.contract.Transition(contract.PhaseName(r.From), contract.PhaseName(r.To))
	if !ok {
		return refusal(wire.CodeTransition, "contract %s has no transition from %s to %s", r.Contract, r.From, r.To)
	}
	r.transition = t
	return nil
}

// checkLease refuses who announces an exclusive phase without the lease. Out of
// one also another may announce, since who held it may be gone.
func (m *Mediator) checkLease(ctx context.Context, r *request) *wire.Error {
	if r.contract.Exclusivity == nil {
		return nil
	}
	v, _, err := m.config.State.Get(ctx, leaseKey(r.contract.Name, r.Subject))
	if err != nil {
		return &wire.Error{Code: wire.CodeUnavailable, Message: err.Error()}
	}
	r.lease = v.Created
	if !r.contract.Exclusive(contract.PhaseName(r.To)) {
		return nil
	}
	if r.Token == 0 || v.Created != int64(r.Token) {
		return refusal(wire.CodeFenceStale, "%s needs the lease, whose token is %d; it carries %d", r.To, v.Created, r.Token)
	}
	return nil
}

// checkHeld refuses to move a subject that went back and forth too often.
func (m *Mediator) checkHeld(_ context.Context, r *request) *wire.Error {
	if !r.now.Before(r.subject.heldTill) {
		return nil
	}
	flap := r.contract.Stability.Flap
	return refusal(wire.CodeHeld, "it went back and forth %d times within %s, and is held in %s until %s", flap.MaxFlips, flap.Window, r.From, r.subject.heldTill.UTC().Format(time.RFC3339))
}

// checkProtocol asks the protocol whether the announcement may be committed now.
func (m *Mediator) checkProtocol(_ context.Context, r *request) *wire.Error {
	s, t := r.subject, r.transition
	rules := protocol.RecordRules{SkipSettle: r.unsettled()}
	if !r.Urgent || !t.Urgent {
		rules.Dwell = r.contract.Dwell(t)
	}
	if !rules.SkipSettle && s.record.Enforced < r.Expected {
		return refusal(wire.CodeNotSettled, "%s at epoch %d is announced and not yet reported in force", r.From, r.Expected)
	}
	// The clock of an earlier tenure says when a phase began, which dwelling is
	// about, and not how long ago everyone could hear of it.
	committed := s.record.CommittedAt
	rules.Wait = longestWait(r.contract) + m.known(s).Sub(committed)
	holds, err := m.holds(r)
	record := protocol.Record{Epoch: protocol.Epoch(s.record.Epoch), Committed: committed.Sub(m.since)}
	_, why := record.Announce(rules, protocol.Announcement{
		Now: r.now.Sub(m.since), Expected: protocol.Epoch(r.Expected), Guard: holds && err == nil, Acks: m.quiesced(r),
	})
	switch why {
	case protocol.RefusalSettle:
		return refusal(wire.CodeNotSettled, "epoch %d is not acknowledged by all; without that it settles in %s", r.Expected, (rules.Wait - r.now.Sub(committed)).Round(time.Millisecond))
	case protocol.RefusalDwell:
		return refusal(wire.CodeDwell, "it has been in %s for %s, and must stay %s", r.From, r.now.Sub(committed).Round(time.Millisecond), rules.Dwell)
	case protocol.RefusalGuard:
		if err != nil {
			return refusal(wire.CodeGuardFalse, "%v", err)
		}
		return refusal(wire.CodeGuardFalse, "guard does not hold: %s", t.Guard)
	case "":
		return nil
	default:
		return refusal(string(why), "the protocol refuses it")
	}
}

// unsettled reports whether the step may be announced before the one before has
// settled. Where the resource checks a token it may: a holder that is gone
// settles nothing, and its successor must not wait for it.
func (r *request) unsettled() bool {
	x := r.contract.Exclusivity
	return r.transition.Settle == contract.SettleSkip || r.Expected == 0 || x != nil && x.Fencing.Required
}

// quiesced counts the acknowledgements of the epoch to be replaced, if any can
// shorten the way to it.
func (m *Mediator) quiesced(r *request) protocol.Acks {
	before, ok := r.contract.Transition(contract.PhaseName(r.subject.record.Previous), contract.PhaseName(r.From))
	before.Await.Acks = contract.AckQuiesced // nobody has to have waited for them
	if !ok || !r.contract.Shortcut(before) {
		return protocol.Acks{Registered: 1}
	}
	return acks(tally(r.state.watching(r.Subject, r.now), r.Subject, r.Expected))
}

// gather counts signatures and the time that a signal holds. It returns what the
// announcement still waits for, "" if nothing, and whether that is news.
func (m *Mediator) gather(r *request) (wait string, first bool) {
	hold := r.contract.Stability.Debounce[contract.PhaseName(r.To)]
	if !r.Signal || r.Urgent && r.transition.Urgent {
		hold = 0
	}
	p := r.subject.pending
	if p == nil || !p.same(r.Announcement) || r.now.Sub(p.since) > pendingTime || hold > 0 && r.now.Sub(p.seen) > max(hold, 5*time.Second) {
		p = &pending{announcement: r.Announcement, since: r.now}
	}
	p.seen = r.now
	signed := len(p.keyIDs)
	for _, id := range r.keyIDs {
		if !slices.Contains(p.keyIDs, id) {
			p.keyIDs = append(p.keyIDs, id)
		}
	}
	slices.Sort(p.keyIDs)
	first = len(p.keyIDs) > signed
	quorum := max(r.contract.Announce.Quorum, 1)
	held := r.now.Sub(p.since)
	switch {
	case len(p.keyIDs) < quorum:
		r.hold(p)
		return fmt.Sprintf("%d of %d keys have signed (%s); another one must announce the same within %s", len(p.keyIDs), quorum, strings.Join(p.keyIDs, ", "), pendingTime), first
	case held < hold:
		r.hold(p)
		return fmt.Sprintf("the signal must hold for %s, and has for %s; announce it again while it does", hold, held.Round(time.Millisecond)), first
	}
	r.keyIDs = p.keyIDs
	return "", false
}

// hold keeps an announcement that waits.
func (r *request) hold(p *pending) {
	r.subject.pending = p
	r.state.subjects[r.Subject] = r.subject
}

// same reports whether two announcements ask for the same.
func (p *pending) same(a wire.Announcement) bool {
	b := p.announcement
	return a.From == b.From && a.To == b.To && a.Expected == b.Expected && a.Token == b.Token && reflect.DeepEqual(a.Facts.Request, b.Facts.Request)
}

// put commits.
func (m *Mediator) put(ctx context.Context, r *request) (wire.Receipt, error) {
	next := wire.Record{
		Contract: r.Contract, Key: r.Subject, Phase: r.To, Previous: r.From, Epoch: r.Expected + 1,
		Enforced: r.subject.record.Enforced, Token: r.Token, CommittedAt: r.now.UTC(), Envelope: &r.envelope,
	}
	data, err := json.Marshal(next)
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("record %s: %w", r.Subject, err)
	}
	entry, puts, drop := m.audit.next(r.entry("committed", r.Reason))
	key := recordKey(r.contract.Name, r.Subject)
	ifs := []Condition{{Key: key, Revision: r.subject.stored}}
	if r.contract.Exclusive(contract.PhaseName(r.To)) {
		ifs = append(ifs, Condition{Key: leaseKey(r.contract.Name, r.Subject), Created: int64(r.Token)})
	}
	revision, ok, err := m.commit(ctx, ifs, append(puts, Put{Key: key, Data: data}), drop...)
	if err != nil {
		return wire.Receipt{}, err
	}
	if !ok {
		return wire.Receipt{}, unavailable(errOvertaken)
	}
	m.audit.done(entry)
	m.flip(r)
	next.Revision = revision
	s := r.subject
	s.record, s.stored, s.pending = next, revision, nil
	r.state.subjects[r.Subject] = s
	m.metrics.committed(r.contract.ID(), r.From, r.To)
	m.tell(s, true)
	registered := len(r.state.watching(r.Subject, r.now))
	m.emitAnnounced(next, registered, r.keyIDs)
	if m.config.Committed != nil {
		m.config.Committed(next)
	}
	return wire.Receipt{Epoch: next.Epoch, Revision: revision, CommittedAt: next.CommittedAt, Registered: registered}, nil
}

// flip counts steps back, and holds a subject that makes too many.
func (m *Mediator) flip(r *request) {
	flap := r.contract.Stability.Flap
	s := r.subject
	s.flips = slices.DeleteFunc(s.flips, func(t time.Time) bool { return r.now.Sub(t) > flap.Window })
	if s.record.Previous != r.To || r.now.Sub(s.record.CommittedAt) > flap.Window || s.record.Epoch == 0 {
		return
	}
	s.flips = append(s.flips, r.now)
	if flap.MaxFlips == 0 || len(s.flips) < flap.MaxFlips {
		return
	}
	m.metrics.flapped(r.contract.ID())
	held := flap.OnBreach == contract.BreachHold
	if held {
		s.heldTill = r.now.Add(flap.Window)
	}
	m.emit(attr.EventPhaseFlap, r.now, s.record, r.Expected+1, attr.PhaseCount, strconv.Itoa(len(s.flips)), attr.PhaseHeld, strconv.FormatBool(held))
	if !held {
		m.emit(attr.EventPhasePaged, r.now, s.record, r.Expected+1, attr.AlertName, "flapping", attr.PhaseFlip, "true")
	}
}

// entry is what the audit log says about a request.
func (r *request) entry(what, detail string) wire.Entry {
	return wire.Entry{
		What: what, Contract: r.Contract, Key: r.Subject, From: r.From, To: r.To, Epoch: r.Expected + 1, Token: r.Token,
		KeyIDs: r.keyIDs, Sender: r.sender, Detail: clip(detail),
	}
}
