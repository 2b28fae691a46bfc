package contract

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// leastTTL is the shortest lease that etcd grants with its default election
// timeout of 1 s, of which it takes one and a half, in whole seconds.
const leastTTL = 2 * time.Second

func (l *linter) exclusivity() {
	e := l.c.Exclusivity
	if e == nil {
		return
	}
	l.fencing(e.Fencing)
	lease := e.Lease
	slow, fast := 1+lease.MaxClockDrift, 1-lease.MaxClockDrift
	if float64(lease.RenewDeadline)*slow >= float64(lease.TTL)*fast {
		l.add("L15", "spec.exclusivity.lease.renewDeadline", fmt.Sprintf("%v on a clock that is %v slow is not before %v on one that is as much fast", lease.RenewDeadline, lease.MaxClockDrift, lease.TTL),
			fmt.Sprintf("want less than %v", time.Duration(float64(lease.TTL)*fast/slow).Truncate(100*time.Millisecond)))
	}
	if 2*lease.RenewEvery > lease.RenewDeadline {
		l.add("L15", "spec.exclusivity.lease.renewEvery", fmt.Sprintf("is %v, so one lost renewal costs the lease", lease.RenewEvery), fmt.Sprintf("want at most half of renewDeadline, %v", lease.RenewDeadline/2))
	}
	if lease.TTL < leastTTL {
		l.add("L15", "spec.exclusivity.lease.ttl", fmt.Sprintf("is %v", lease.TTL), fmt.Sprintf("want at least %v: etcd grants no shorter one", leastTTL))
	}
}

func (l *linter) fencing(f Fencing) {
	const fix = "want mode: seal, or txn where the resource can check the lease itself"
	switch {
	case f.Mode == FencingSeal || f.Mode == FencingTxn:
	case f.Mode == FencingToken:
		l.add("L14", "spec.exclusivity.fencing", "a bare token lets the write of a deposed holder in until its successor's first", fix)
	default:
		l.add("L14", "spec.exclusivity.fencing", "nothing keeps the write of a deposed holder out", fix)
	}
	fenced := slices.ContainsFunc(l.c.ActionNames(), func(a string) bool { return l.c.Actions[a].Fenced })
	if f.Required && !fenced {
		l.add("L14", "spec.exclusivity.fencing", "is required, but no action carries a token", "say fenced: true for the actions that only the holder may do")
	}
}

// compatibility wants every reader of a phase to read whatever a writer of the
// same or of an adjacent phase may leave.
func (l *linter) compatibility() {
	for _, dimension := range slices.Sorted(maps.Keys(l.c.Compatibility)) {
		k := l.c.Compatibility[dimension]
		for _, p := range l.c.Phases {
			if _, listed := k.Phases[p.Name]; listed {
				l.holes("spec.compatibility."+dimension+".phases."+string(p.Name), k, p.Name)
			}
		}
	}
}

func (l *linter) holes(field string, k Compatibility, in PhaseName) {
	for _, from := range l.c.adjacent(in) {
		for _, writer := range k.Phases[from].Writers {
			for _, kind := range k.Writers[writer] {
				if l.c.deniesWrite(from, kind) {
					continue
				}
				for _, reader := range k.Phases[in].Readers {
					if !k.reads(reader, kind) {
						l.add("L17", field, fmt.Sprintf("in %s, %s reads only %s, but in %s %s writes %s", in, reader, strings.Join(k.Readers[reader], ", "), from, writer, kind),
							fmt.Sprintf("keep %s out of %s, or %s out of %s", reader, in, writer, from))
					}
				}
			}
		}
	}
}

// reads reports whether a program can read what a kind of write leaves.
func (k Compatibility) reads(reader, kind string) bool {
	left := k.Writes[kind]
	if len(left) == 0 {
		left = []string{kind}
	}
	return slices.ContainsFunc(left, func(version string) bool { return slices.Contains(k.Readers[reader], version) })
}

// deniesWrite reports whether a phase has a permission for a kind of write, and
// denies it.
func (c *Contract) deniesWrite(phase PhaseName, kind string) bool {
	p, _ := c.Phase(phase)
	return p.Permissions["write_"+kind] == Deny
}

// adjacent returns a phase and those that a transition leads to or from.
func (c *Contract) adjacent(to PhaseName) []PhaseName {
	near := []PhaseName{to}
	for _, t := range c.Transitions {
		if t.To == to {
			near = append(near, t.From)
		}
		if t.From == to {
			near = append(near, t.To)
		}
	}
	slices.Sort(near[1:])
	return slices.Compact(near)
}
