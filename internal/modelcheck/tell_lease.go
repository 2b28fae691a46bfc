package modelcheck

import (
	"fmt"

	"example.test/eddy/phase/protocol"
)

func (m *leaseModel) lanes() []string {
	lanes := []string{"resource", "lease"}
	for i := range m.candidates {
		lanes = append(lanes, candidateName(uint8(i)))
	}
	return lanes
}

func candidateName(i uint8) string { return fmt.Sprintf("candidate %d", i+1) }

func (m *leaseModel) passes(l uint32) bool {
	kind, _, _ := unlabel(l)
	return kind == stepLeaseTick
}

// The columns of the resource and the lease; candidates follow.
const (
	laneResource = iota
	laneLease
	laneCandidates
)

func (m *leaseModel) tell(before []byte, l uint32) (lane int, text string) {
	var s leaseState
	m.unpack(before, &s)
	kind, i, what := unlabel(l)
	candidate := laneCandidates + int(i)
	switch kind {
	case stepLeaseTick:
		return laneLease, ""
	case stepAcquire:
		leads := ""
		if !m.rules.Seal {
			leads = ", leads"
		}
		return candidate, fmt.Sprintf("acquires, token %d%s", what, leads)
	case stepSeal:
		if what < s.max {
			return candidate, fmt.Sprintf("cannot seal with token %d, gives up", what)
		}
		return candidate, fmt.Sprintf("seals with token %d, leads", what)
	case stepRenew:
		return candidate, "sends a renewal"
	case stepRenewed:
		if s.holder == i+1 {
			return laneLease, fmt.Sprintf("renewed for %s", candidateName(i))
		}
		return laneLease, fmt.Sprintf("renewal of %s refused", candidateName(i))
	case stepKept:
		return candidate, "learns that it is renewed"
	case stepStepDown:
		return candidate, "finds its deadline passed, steps down"
	case stepResign:
		return candidate, "resigns"
	case stepWrite:
		return candidate, fmt.Sprintf("may write, sends with token %d", what)
	case stepStore:
		if _, took := (protocol.Resource{Max: protocol.Token(s.max)}).Write(m.check, protocol.Token(what), s.holderToken()); !took {
			return laneResource, fmt.Sprintf("refuses token %d", what)
		}
		return laneResource, fmt.Sprintf("takes the write of %s, token %d", candidateName(i), what)
	case stepPause:
		return candidate, "is paused"
	case stepResume:
		return candidate, "runs again"
	case stepDie:
		return candidate, "crashes"
	case stepExpire:
		return laneLease, fmt.Sprintf("expires for %s", candidateName(i))
	default:
		panic(fmt.Sprintf("BUG: step %d is none of this model", kind))
	}
}

func (m *leaseModel) explain(p Property, before []byte, l uint32) (says, fix string) {
	var s leaseState
	m.unpack(before, &s)
	_, i, what := unlabel(l)
	for _, r := range Rules() {
		if m.breaks[r.Rule] {
			fix = fmt.Sprintf("keep the rule %s: %s", r.Rule, r.Says)
		}
	}
	if fix == "" {
		fix = "fencing.mode: seal (the successor writes its token before it acts), or txn"
	}
	switch p {
	case PropertyWrites:
		return fmt.Sprintf("a write with token %d is taken after one with token %d", what, s.last), fix
	case PropertyDeposed:
		return fmt.Sprintf("the write of %s, token %d, is taken although its successor leads", candidateName(i), what), fix
	case PropertyAlone:
		return fmt.Sprintf("%s begins to lead while another candidate may still act", candidateName(i)), m.aloneFix(fix)
	default:
		return "from here on nobody can lead any more", "check the arithmetic of the lease"
	}
}

// aloneFix names the rule that was left out, or the arithmetic.
func (m *leaseModel) aloneFix(fix string) string {
	if len(m.breaks) > 0 {
		return fix
	}
	return "a renewDeadline that ends before the ttl on any two clocks (L15), or a shorter model.tick if rounding is to blame"
}
