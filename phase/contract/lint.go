package contract

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// LintOptions are what Lint needs besides the contract.
type LintOptions struct {
	// Now is when the contract is judged: keys expire. The zero value does not ask.
	Now time.Time
	// CheckGuard type-checks one guard; phase/contract/cel has it. Nil leaves
	// guards, and so L07, alone.
	CheckGuard func(guard string) error
}

// Lint returns what is wrong with what the contract says, in the order of the
// file. A contract with an error must not be used: somebody would be wrong about
// a phase. docs/contracts.md explains every code.
func (c *Contract) Lint(o LintOptions) []Problem {
	l := &linter{c: c, o: o}
	l.names()
	l.permissions()
	l.references()
	if len(l.problems) == 0 { // the rest would repeat what does not exist
		l.roles()
		l.reachability()
		l.transitions()
		l.assumedBounds()
		l.exclusivity()
		l.compatibility()
	}
	l.guards()
	l.keys()
	slices.SortStableFunc(l.problems, byPosition)
	return l.problems
}

// Errors returns the problems that make a contract unusable.
func Errors(problems []Problem) []Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Severity != SeverityError })
}

// A linter collects problems.
type linter struct {
	c        *Contract
	o        LintOptions
	problems []Problem
}

func (l *linter) add(code, field, message, fix string) {
	l.report(SeverityError, code, field, message, fix)
}

func (l *linter) warn(code, field, message, fix string) {
	l.report(SeverityWarning, code, field, message, fix)
}

func (l *linter) report(s Severity, code, field, message, fix string) {
	l.problems = append(l.problems, Problem{Position: l.c.Where(field), Code: code, Severity: s, Field: field, Message: message, Fix: fix})
}

// phaseName is what a phase may be called.
var phaseName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,31}$`)

// reserved reports whether readers of YAML 1.1 turn a word into something else.
func reserved(p PhaseName) bool {
	return slices.Contains([]PhaseName{"ON", "OFF", "YES", "NO", "Y", "N", "NULL", "TRUE", "FALSE"}, p)
}

func (l *linter) names() {
	for i, p := range l.c.Phases {
		field := fmt.Sprintf("spec.phases[%d].name", i)
		switch {
		case reserved(p.Name):
			l.add("L01", field, fmt.Sprintf("%s is no text to many readers of YAML", p.Name), "call it by what it is, as FLAG_"+string(p.Name))
		case !phaseName.MatchString(string(p.Name)):
			l.add("L01", field, fmt.Sprintf("%q is no name of a phase", p.Name), "want capitals, digits and underscores, at most 32, as DRAIN")
		}
	}
}

// permissions wants every phase to say something to every permission.
func (l *linter) permissions() {
	for i, p := range l.c.Phases {
		for _, name := range l.c.permissionNames() {
			if _, ok := p.Permissions[name]; !ok {
				l.add("L02", fmt.Sprintf("spec.phases[%d].permissions", i), fmt.Sprintf("%s does not say whether it permits %s", p.Name, name), "add "+name+": deny, allow or grace")
			}
		}
	}
}

// permissionNames are all that any phase mentions, sorted.
func (c *Contract) permissionNames() []string {
	all := map[string]bool{}
	for _, p := range c.Phases {
		for name := range p.Permissions {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// roles wants nobody to do what the very phase it believes in denies.
func (l *linter) roles() {
	for i, r := range l.c.Roles.Consumers {
		for _, action := range slices.Sorted(maps.Keys(r.Does)) {
			for _, p := range r.Does[action] {
				if l.c.Permits(p, action) == Deny {
					l.add("L04", fmt.Sprintf("spec.roles.consumers[%d].does.%s", i, action),
						fmt.Sprintf("%s does %s while it believes in %s, which denies %s", r.Name, action, p, l.c.Actions[action].Requires),
						fmt.Sprintf("drop %s from the list, or let %s permit it", p, p))
				}
			}
		}
		l.unknown(i, r)
	}
}

// unknown warns of what a role does blindly.
func (l *linter) unknown(i int, r Consumer) {
	for _, action := range r.Unknown.Does {
		if r.Unknown.Accept != "" {
			continue
		}
		for _, p := range l.c.reachable(l.c.Initial) {
			if l.c.Permits(p, action) == Deny {
				l.warn("L19", fmt.Sprintf("spec.roles.consumers[%d].unknown.does", i),
					fmt.Sprintf("%s does %s without a belief, which %s denies", r.Name, action, p),
					"drop it, or say why with accept: \"reason\"")
				break
			}
		}
	}
}

// reachability wants every phase to be entered and none to be a trap.
func (l *linter) reachability() {
	c := l.c
	reached := c.reachable(c.Initial)
	var terminal []PhaseName
	for _, p := range c.Phases {
		if p.Terminal {
			terminal = append(terminal, p.Name)
		}
	}
	for i, p := range c.Phases {
		field := fmt.Sprintf("spec.phases[%d]", i)
		if !slices.Contains(reached, p.Name) {
			l.add("L05", field, fmt.Sprintf("no transitions lead from %s to %s", c.Initial, p.Name), "add a transition to it, or drop it")
			continue
		}
		onward := c.reachable(p.Name)
		ends := slices.ContainsFunc(terminal, func(t PhaseName) bool { return slices.Contains(onward, t) })
		if ends || len(terminal) == 0 && len(onward) > 1 {
			continue
		}
		fix := "add a transition out of it, or mark where it may end with terminal: true"
		l.add("L16", field, fmt.Sprintf("from %s no transitions lead to a terminal phase", p.Name), fix)
	}
}

// reachable returns a phase and all that transitions lead to from it, in the
// order of their discovery.
func (c *Contract) reachable(from PhaseName) []PhaseName {
	found := []PhaseName{from}
	for i := 0; i < len(found); i++ {
		for _, t := range c.Transitions {
			if t.From == found[i] && !slices.Contains(found, t.To) {
				found = append(found, t.To)
			}
		}
	}
	return found
}

func (l *linter) guards() {
	if l.o.CheckGuard == nil {
		return
	}
	for i, t := range l.c.Transitions {
		if err := l.o.CheckGuard(t.Guard); err != nil {
			field := fmt.Sprintf("spec.transitions[%d].guard", i)
			l.add("L07", field, strings.TrimSpace(err.Error()), "docs/contracts.md lists what a guard may use")
		}
	}
}

// keysExpire is how long before the end of a key people want to know.
const keysExpire = 30 * 24 * time.Hour

func (l *linter) keys() {
	if l.o.Now.IsZero() {
		return
	}
	for i, k := range l.c.Announce.Keys {
		field := fmt.Sprintf("spec.announce.keys[%d].notAfter", i)
		switch left := k.NotAfter.Sub(l.o.Now); {
		case k.NotAfter.IsZero() || left > keysExpire:
		case left <= 0:
			l.add("L18", field, fmt.Sprintf("key %s expired on %s", k.ID, k.NotAfter.Format(time.DateOnly)), "publish a version of the contract with a new key")
		default:
			l.warn("L18", field, fmt.Sprintf("key %s expires in %.0f days", k.ID, left.Hours()/24), "publish a version of the contract with a further key")
		}
	}
}
