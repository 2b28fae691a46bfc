package contract

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// transitions judges each step: direction, discipline, and how long it waits.
func (l *linter) transitions() {
	c := l.c
	if wait := c.Wait(Consumer{Observes: ObservesEddy, BeliefTTL: c.Propagation.BeliefTTL}); wait > c.Propagation.Bound {
		l.add("L08", "spec.propagation.bound", fmt.Sprintf("is %v, but a belief and a request in flight can last %v", c.Propagation.Bound, wait),
			fmt.Sprintf("want at least that, or a shorter beliefTTL (%v) or maxFlight (%v)", c.Propagation.BeliefTTL, c.Propagation.MaxFlight))
	}
	for i, t := range c.Transitions {
		field := fmt.Sprintf("spec.transitions[%d]", i)
		from, _ := c.Phase(t.From)
		to, _ := c.Phase(t.To)
		if c.Monotone && to.Order <= from.Order {
			l.add("L06", field, fmt.Sprintf("%s to %s goes back in a monotone contract", t.From, t.To), "drop it, or say monotone: false")
		}
		l.step(field, t)
	}
}

func (l *linter) step(field string, t Transition) {
	step := l.c.Derive(t.From, t.To)
	losses := strings.Join(step.Loss, ", ")
	if step.Conflict {
		l.conflict(field, step)
		return
	}
	if t.Discipline != step.Discipline && (!step.Free || t.Discipline == Atomic) {
		l.add("L10", field+".discipline", fmt.Sprintf("%s to %s is %s", t.From, t.To, t.Discipline), fmt.Sprintf("want %s, since %s", step.Discipline, l.reason(step)))
		return
	}
	if step.Discipline != AnnounceFirst || len(step.Loss) == 0 {
		return
	}
	wait := l.longestWait(step)
	if !l.c.written(field + ".await") {
		l.add("L11", field, fmt.Sprintf("%s to %s takes away %s and does not say how long it waits for those who still believe %s", t.From, t.To, losses, t.From),
			fmt.Sprintf("add await: {acks: quiesced, atMost: %v}", ceilSecond(wait)))
		return
	}
	if t.Await.AtMost < wait {
		l.add("L12", field+".await", fmt.Sprintf("waits %v, but %s can still arrive %v after the commit", t.Await.AtMost, losses, wait),
			fmt.Sprintf("want atMost: %v or more", ceilSecond(wait)))
	}
}

// conflict shows the phase that has to stand between.
func (l *linter) conflict(field string, s Step) {
	overlap := l.c.Overlap(s.From, s.To)
	var permissions []string
	for _, name := range l.c.permissionNames() {
		permissions = append(permissions, fmt.Sprintf("%s: %s", name, overlap.Permissions[name]))
	}
	l.add("L09", field, fmt.Sprintf("%s to %s takes away %s and gives %s, so either order is wrong for somebody", s.From, s.To, strings.Join(s.Loss, ", "), strings.Join(s.Gain, ", ")),
		fmt.Sprintf("put a phase between that permits both: {name: %s, permissions: {%s}}, act_first into it and announce_first out of it, and let roles do %s from it on", overlap.Name, strings.Join(permissions, ", "), strings.Join(s.Gain, ", ")))
}

func (l *linter) reason(s Step) string {
	switch {
	case l.c.Exclusive(s.To):
		return string(s.To) + " is exclusive"
	case len(s.Loss) > 0:
		return fmt.Sprintf("it takes away %s, which must be known before it is true", strings.Join(s.Loss, ", "))
	case len(s.Gain) > 0:
		return fmt.Sprintf("it gives %s, which must be true before it is known", strings.Join(s.Gain, ", "))
	}
	return "only entering an exclusive phase is atomic"
}

// longestWait is that of the roles that lose something.
func (l *linter) longestWait(s Step) time.Duration {
	var longest time.Duration
	for _, r := range l.c.Roles.Consumers {
		loses := slices.ContainsFunc(s.Loss, func(action string) bool { return r.DoesIn(action, s.From) })
		if r.Acknowledges() && loses {
			longest = max(longest, l.c.Wait(r))
		}
	}
	return longest
}

func ceilSecond(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// assumedBounds wants a role whose belief does not end to be given the time that
// it is assumed to need, from leaving the last phase in which it acts to the
// phase that denies the act.
func (l *linter) assumedBounds() {
	for i, r := range l.c.Roles.Consumers {
		if r.Acknowledges() {
			continue
		}
		for _, action := range l.c.ActionNames() {
			for _, t := range l.c.Transitions {
				given, matters := l.c.timeGiven(r, action, t)
				if need := l.c.Wait(r); matters && given < need {
					l.add("L13", fmt.Sprintf("spec.roles.consumers[%d].assumedBound", i),
						fmt.Sprintf("%s may do %s for %v, but %s to %s denies it %v after the last phase in which it does", r.Name, action, need, t.From, t.To, given),
						fmt.Sprintf("give %s to %s a minDwell or an await that is %v longer", t.From, t.To, need-given))
				}
			}
		}
	}
}

// timeGiven is the least time between the commit that ends the last phase in
// which a role does an action and the moment at which a transition denies it. It
// does not matter if the transition denies nothing that the role may be doing.
func (c *Contract) timeGiven(r Consumer, action string, t Transition) (given time.Duration, matters bool) {
	if c.Permits(t.From, action) == Deny || c.Permits(t.To, action) != Deny {
		return 0, false
	}
	dwell := map[PhaseName]time.Duration{} // since the last acting phase was left, by phase
	for _, p := range r.Does[action] {
		dwell[p] = 0
	}
	for range c.Phases { // as often as the longest path without a circle
		for _, step := range c.Transitions {
			before, ok := dwell[step.From]
			if !ok || r.DoesIn(action, step.To) {
				continue
			}
			if !r.DoesIn(action, step.From) {
				before += c.Dwell(step)
			}
			if known, ok := dwell[step.To]; !ok || before < known {
				dwell[step.To] = before
			}
		}
	}
	given, matters = dwell[t.From]
	if !r.DoesIn(action, t.From) {
		given += c.Dwell(t)
	}
	if t.Discipline == AnnounceFirst {
		given += t.Await.AtMost
	}
	return given, matters
}

// Dwell is the least time that a transition leaves between the commit of its
// phase and its own.
func (c *Contract) Dwell(t Transition) time.Duration {
	if t.Urgent {
		return 0
	}
	return max(t.MinDwell, c.Stability.MinDwell[t.From])
}

// Shortcut reports whether acknowledgements may end a transition's wait early.
// They may not if a role that sends none could still do what To denies: for it
// only time counts.
func (c *Contract) Shortcut(t Transition) bool {
	for _, action := range c.ActionNames() {
		if c.Permits(t.From, action) == Deny || c.Permits(t.To, action) != Deny {
			continue
		}
		for _, r := range c.Roles.Consumers {
			if !r.Acknowledges() && len(r.Does[action]) > 0 {
				return false
			}
		}
	}
	return t.Await.Acks != AckNone
}
