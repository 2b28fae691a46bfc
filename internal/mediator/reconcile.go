package mediator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// reconcile looks every so often for subjects whose phase in force is not the
// one that was announced, until ctx ends. What it does about one is to ask: the
// record is sent again to all who watch, and the producer is told to report
// sooner. After some attempts it tells people. It never announces for a producer,
// and never stops or restarts anything.
func (m *Mediator) reconcile(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.lookAtAll(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// lookAtAll compares all subjects once.
func (m *Mediator) lookAtAll(ctx context.Context) {
	leases, known := m.leases(ctx)
	if m.lock(ctx) != nil {
		return // another replica looks, or nobody can
	}
	defer m.mu.Unlock()
	now := time.Now()
	var moved []*subject
	steps := make(map[*subject]step)
	for _, c := range m.contracts {
		for _, s := range c.subjects {
			if s.record.Epoch == 0 {
				continue // it waits to be announced at all
			}
			cause := m.differs(c.contract, s, now)
			if cause == "" && known && s.orphaned(c.contract, leases) {
				cause = wire.CauseOrphan
			}
			if cause == "" && s.drift == (drift{}) {
				continue
			}
			var do step
			if s.drift, do = s.drift.look(now, cause); do != stepNone {
				steps[s] = do
				moved = append(moved, s)
			}
		}
	}
	slices.SortFunc(moved, func(a, b *subject) int {
		return cmp.Or(cmp.Compare(a.record.Contract, b.record.Contract), cmp.Compare(a.record.Key, b.record.Key))
	})
	for _, s := range moved {
		m.follows(s, steps[s], now)
	}
}

// leases returns the tokens of all leases that are held, by their key, and
// whether that is known.
func (m *Mediator) leases(ctx context.Context) (map[string]uint64, bool) {
	values, _, err := m.config.State.List(ctx, "lease/")
	if err != nil {
		return nil, false
	}
	tokens := make(map[string]uint64, len(values))
	for _, v := range values {
		tokens[v.Key] = uint64(v.Created)
	}
	return tokens, true
}

// differs says why a subject is not in the phase that was announced, "" if it is
// or may still be on its way there.
func (m *Mediator) differs(c *contract.Contract, s *subject, now time.Time) string {
	if s.record.Enforced >= s.record.Epoch {
		return ""
	}
	t, _ := c.Transition(contract.PhaseName(s.record.Previous), contract.PhaseName(s.record.Phase))
	if now.Sub(m.known(s)) <= t.Await.AtMost+c.Propagation.Bound {
		return ""
	}
	return wire.CauseNotEnforced
}

// orphaned reports whether the subject is in an exclusive phase whose lease has
// ended: who held it is gone, and nobody has taken over.
func (s *subject) orphaned(c *contract.Contract, leases map[string]uint64) bool {
	return c.Exclusivity != nil && c.Exclusive(contract.PhaseName(s.record.Phase)) && leases[leaseKey(c.Name, s.record.Key)] != s.record.Token
}

// follows does what a look says. The caller holds the lock.
func (m *Mediator) follows(s *subject, do step, now time.Time) {
	d := s.drift
	switch do {
	case stepAttempt:
		m.metrics.attempted(s.record.Contract, d.cause)
		outcome := "waiting" // for the next holder of the lease
		if d.cause == wire.CauseNotEnforced {
			outcome = "asked"
			m.tell(s, true)
		}
		m.emitReconcile(s, outcome, d.backoff(now))
	case stepGiveUp:
		m.config.Log.Warn("a phase was announced and is not in force; nothing more is done about it",
			"contract", s.record.Contract, "subject", s.record.Key, "phase", s.record.Phase, "cause", d.cause, "since", d.since.UTC())
		m.emitReconcile(s, "gave_up", 0)
		m.emit(attr.EventPhasePaged, now, s.record, s.record.Epoch, attr.AlertName, "stuck", attr.PhaseFlip, "true", attr.PhaseCause, d.cause)
	case stepSettled:
		m.emitReconcile(s, "settled", 0)
	case stepNone:
	}
}

func (m *Mediator) emitReconcile(s *subject, outcome string, backoff time.Duration) {
	m.emit(attr.EventPhaseReconcile, time.Now(), s.record, s.record.Epoch, attr.PhaseCause, s.drift.cause, attr.PhaseOutcome, outcome,
		attr.PhaseAttempt, strconv.Itoa(s.drift.attempts), attr.PhaseBackoff, strconv.FormatInt(backoff.Milliseconds(), 10))
}

// troubles are what is not as it should be with a subject. The caller holds the
// lock.
func (m *Mediator) troubles(c *contractState, s *subject, now time.Time) []wire.Trouble {
	var list []wire.Trouble
	if d := s.drift; d.declared {
		list = append(list, wire.Trouble{
			Cause: d.cause, Since: d.since.UTC(), Attempts: d.attempts, Stuck: d.stuck, Detail: m.detail(c, s, now),
		})
	}
	flap := c.contract.Stability.Flap
	flips := s.flipsSince(now.Add(-flap.Window))
	if flap.MaxFlips == 0 || len(flips) < flap.MaxFlips {
		return list
	}
	t := wire.Trouble{
		Cause: wire.CauseFlapping, Since: flips[0].UTC(), Flips: len(flips),
		Detail: fmt.Sprintf("it went back and forth %d times within %s", len(flips), flap.Window),
	}
	if now.Before(s.heldTill) {
		till := s.heldTill.UTC()
		t.HeldUntil = &till
	}
	return append(list, t)
}

// detail says what a person should know who looks into a drift.
func (m *Mediator) detail(c *contractState, s *subject, now time.Time) string {
	if s.drift.cause == wire.CauseOrphan {
		return fmt.Sprintf("the lease with token %d has ended and nobody has taken over", s.record.Token)
	}
	text := "no producer has reported since " + m.since.UTC().Format(time.RFC3339)
	if !s.reportedAt.IsZero() {
		text = fmt.Sprintf("the producer reported epoch %d in force %s ago", s.reported, now.Sub(s.reportedAt).Round(time.Second))
	}
	if t := tally(c.watching(s.record.Key, now), s.record.Key, s.record.Epoch); len(t.Missing) > 0 {
		text += fmt.Sprintf("; %d of %d consumers have not acknowledged: %s", t.Registered-t.Quiesced, t.Registered, strings.Join(t.Missing, ", "))
	}
	return text
}

// flipsSince returns the steps back after a time, oldest first.
func (s *subject) flipsSince(from time.Time) []time.Time {
	i := slices.IndexFunc(s.flips, func(t time.Time) bool { return t.After(from) })
	if i < 0 {
		return nil
	}
	return s.flips[i:]
}

// drifting is what the gauges show: how many subjects differ, how many of them
// are stuck, how many are held, and since when the oldest differs.
func (m *Mediator) drifting(now time.Time) (declared, stuck, held float64, oldest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.contracts {
		for _, s := range c.subjects {
			if s.drift.declared {
				declared++
				oldest = max(oldest, now.Sub(s.drift.since))
			}
			if s.drift.stuck {
				stuck++
			}
			if now.Before(s.heldTill) {
				held++
			}
		}
	}
	return declared, stuck, held, oldest
}
