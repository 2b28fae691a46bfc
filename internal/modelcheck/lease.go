package modelcheck

import (
	"fmt"
	"slices"
	"time"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/protocol"
)

// maxTokens is how often a lease is granted in a model: three holders in a row
// are enough for each to be overtaken by another, and to overtake one.
const maxTokens = 3

// A leaseModel is some candidates, the service that grants the lease, and the
// resource that it protects. A candidate that has found that it may write sends
// the write, and that may arrive at any time later, whatever has become of the
// candidate. The candidates' clocks may be slow and the service's fast, so the
// deadline is rounded up and the lease down.
type leaseModel struct {
	tick       time.Duration
	candidates int
	faults     uint8
	pause      bool
	crash      bool
	breaks     map[Rule]bool

	rules protocol.TenureRules
	check protocol.Check
	ttl   uint8
}

// A leaseState is a state, unpacked.
type leaseState struct {
	holder, granted, ago, max, last, faults uint8 // holder is a candidate and one more; ago is the ticks since the last renewal
	candidates                              [maxConsumers]candidateState
}

// A candidateState is one candidate.
type candidateState struct {
	rank, token, age, paused uint8 // age is the ticks since the last renewal that succeeded was sent
	write                    uint8 // the token of the write on its way
	renewal, asked           uint8 // a renewal: none, sent or answered; ticks since it was sent
}

const (
	bytesOfLease     = 6
	bytesOfCandidate = 7
)

func (m *leaseModel) size() int { return bytesOfLease + bytesOfCandidate*m.candidates }

func (m *leaseModel) pack(s *leaseState, to []byte) {
	to[0], to[1], to[2], to[3], to[4], to[5] = s.holder, s.granted, s.ago, s.max, s.last, s.faults
	for i := range m.candidates {
		c := &s.candidates[i]
		at := to[bytesOfLease+i*bytesOfCandidate:][:bytesOfCandidate]
		at[0], at[1], at[2], at[3], at[4], at[5], at[6] = c.rank, c.token, c.age, c.paused, c.write, c.renewal, c.asked
	}
}

func (m *leaseModel) unpack(from []byte, s *leaseState) {
	s.holder, s.granted, s.ago, s.max, s.last, s.faults = from[0], from[1], from[2], from[3], from[4], from[5]
	for i := range m.candidates {
		c := &s.candidates[i]
		at := from[bytesOfLease+i*bytesOfCandidate:][:bytesOfCandidate]
		c.rank, c.token, c.age, c.paused, c.write, c.renewal, c.asked = at[0], at[1], at[2], at[3], at[4], at[5], at[6]
	}
}

// newLeaseModel translates the exclusivity of a contract.
func newLeaseModel(c *contract.Contract, tick time.Duration, o Options) (*leaseModel, error) {
	e := c.Exclusivity
	m := &leaseModel{tick: tick, candidates: o.candidates(c), faults: uint8(o.faults(c)), breaks: o.breaks()}
	m.pause = c.Model.Pause
	m.crash = slices.Contains(c.Model.Crash, contract.PartyProducer)
	if m.candidates > maxConsumers {
		return nil, fmt.Errorf("%d candidates: want at most %d", m.candidates, maxConsumers)
	}
	slow, fast := 1+e.Lease.MaxClockDrift, 1-e.Lease.MaxClockDrift
	deadline := time.Duration(float64(e.Lease.RenewDeadline) * slow)
	ttl := time.Duration(float64(e.Lease.TTL) * fast)
	n := (deadline + tick - 1) / tick
	if n > mostTicks || ttl/tick > mostTicks {
		return nil, fmt.Errorf("%v are more than %d ticks of %v: want a longer model.tick", e.Lease.TTL, mostTicks, tick)
	}
	m.ttl = uint8(ttl / tick)
	m.rules = protocol.TenureRules{RenewDeadline: n, Seal: e.Fencing.Mode == contract.FencingSeal && !m.breaks[RuleSeal]}
	switch {
	case m.breaks[RuleFence], e.Fencing.Mode == contract.FencingNone, e.Fencing.Mode == "":
		m.check = protocol.CheckNone
	case e.Fencing.Mode == contract.FencingTxn:
		m.check = protocol.CheckTxn
	default:
		m.check = protocol.CheckToken
	}
	return m, nil
}

func (m *leaseModel) initial(state []byte) {
	m.pack(&leaseState{faults: m.faults}, state)
}

// agreed holds where somebody leads, and where the model has no more tokens.
func (m *leaseModel) agreed(state []byte) bool {
	var s leaseState
	m.unpack(state, &s)
	for i := range m.candidates {
		if s.candidates[i].rank == uint8(protocol.RankLeader) {
			return true
		}
	}
	return s.granted == maxTokens
}

// The steps of the lease model.
const (
	stepLeaseTick stepKind = iota + 64
	stepAcquire
	stepSeal
	stepRenew
	stepRenewed
	stepKept
	stepStepDown
	stepResign
	stepWrite
	stepStore
	stepPause
	stepResume
	stepDie
	stepExpire
)

// A leaseWalk emits the steps out of one state.
type leaseWalk struct {
	m      *leaseModel
	e      *emitter
	before leaseState
}

func (m *leaseModel) steps(state []byte, e *emitter) {
	w := leaseWalk{m: m, e: e}
	m.unpack(state, &w.before)
	for i := range m.candidates {
		w.candidate(uint8(i))
		w.renewal(uint8(i))
		w.write(uint8(i))
		w.fate(uint8(i))
	}
	w.time()
}

func (w *leaseWalk) emit(s *leaseState, kind stepKind, i, what uint8, broken Property) {
	w.m.pack(s, w.e.next)
	w.e.emit(label(kind, i, what), broken)
}

// tenure lets something happen to a candidate, at time 0.
func (w *leaseWalk) tenure(c *candidateState, in protocol.TenureInput) protocol.TenureOutput {
	t, out := c.tenure().Step(w.m.rules, in)
	c.rank, c.token, c.age = uint8(t.Rank), uint8(t.Token), uint8(-t.Renewed)
	return out
}

// holderToken is the token of who holds the lease, as the service knows.
func (s *leaseState) holderToken() protocol.Token {
	if s.holder == 0 {
		return 0
	}
	return protocol.Token(s.granted)
}

// candidate acquires, seals, and gives up.
func (w *leaseWalk) candidate(i uint8) {
	m, s := w.m, &w.before
	c := &s.candidates[i]
	if c.paused == 1 {
		return
	}
	if s.holder == 0 && c.rank == uint8(protocol.RankFollower) && s.granted < maxTokens {
		after := *s
		after.holder, after.ago = i+1, 0
		after.granted++
		out := w.tenure(&after.candidates[i], protocol.TenureInput{Event: protocol.TenureGranted, Token: protocol.Token(after.granted)})
		w.emit(&after, stepAcquire, i, after.granted, w.alone(i, out))
	}
	if c.rank == uint8(protocol.RankFollower) {
		return
	}
	if ticks(c.age) > m.rules.RenewDeadline {
		after := *s
		w.tenure(&after.candidates[i], protocol.TenureInput{Event: protocol.TenureTick})
		w.emit(&after, stepStepDown, i, 0, "")
		return // whatever else it does, it finds this first
	}
	if c.rank == uint8(protocol.RankAcquiring) {
		after := *s
		event := protocol.TenureSealed
		resource, ok := protocol.Resource{Max: protocol.Token(s.max)}.Seal(protocol.Token(c.token))
		if !ok {
			event = protocol.TenureResigned
		}
		after.max = uint8(resource.Max)
		out := w.tenure(&after.candidates[i], protocol.TenureInput{Event: event})
		w.emit(&after, stepSeal, i, c.token, w.alone(i, out))
	}
	if c.write == 0 {
		after := *s
		w.tenure(&after.candidates[i], protocol.TenureInput{Event: protocol.TenureResigned})
		if s.holder == i+1 && s.granted == c.token {
			after.holder, after.ago = 0, 0
		}
		w.emit(&after, stepResign, i, c.token, "")
	}
}

// alone is the property that is broken if i has begun to lead while another
// candidate may act.
func (w *leaseWalk) alone(i uint8, out protocol.TenureOutput) Property {
	for k := range w.m.candidates {
		if other := w.before.candidates[k]; out.Leads && k != int(i) && other.tenure().MayAct(w.m.rules, 0) {
			return PropertyAlone
		}
	}
	return ""
}

// tenure is what the protocol knows of a candidate, at time 0.
func (c candidateState) tenure() protocol.Tenure {
	return protocol.Tenure{Rank: protocol.Rank(c.rank), Token: protocol.Token(c.token), Renewed: -ticks(c.age)}
}

// renewal keeps the lease.
func (w *leaseWalk) renewal(i uint8) {
	s := &w.before
	after := *s
	c := &after.candidates[i]
	switch c.renewal {
	case confirmNone:
		if c.paused == 1 || c.rank == uint8(protocol.RankFollower) || ticks(c.age) > w.m.rules.RenewDeadline {
			return
		}
		c.renewal, c.asked = confirmSent, 0
		w.emit(&after, stepRenew, i, 0, "")
	case confirmSent:
		c.renewal = confirmAnswered
		if s.holder == i+1 && s.granted == c.token {
			after.ago = 0
		} else {
			c.renewal, c.asked = confirmNone, 0
		}
		w.emit(&after, stepRenewed, i, 0, "")
	case confirmAnswered:
		if c.paused == 1 {
			return
		}
		sent := -ticks(c.asked)
		if w.m.breaks[RuleRenewal] {
			sent = 0
		}
		w.tenure(c, protocol.TenureInput{Event: protocol.TenureRenewed, Token: protocol.Token(c.token), Sent: sent})
		c.renewal, c.asked = confirmNone, 0
		w.emit(&after, stepKept, i, 0, "")
	}
}

// write sends a write, or lets the one on its way arrive.
func (w *leaseWalk) write(i uint8) {
	m, s := w.m, &w.before
	c := &s.candidates[i]
	after := *s
	a := &after.candidates[i]
	if c.write == 0 {
		if c.paused == 0 && c.tenure().MayAct(m.rules, 0) {
			a.write = c.token
			w.emit(&after, stepWrite, i, c.token, "")
		}
		return
	}
	resource, took := protocol.Resource{Max: protocol.Token(s.max)}.Write(m.check, protocol.Token(c.write), s.holderToken())
	a.write = 0
	if !took {
		w.emit(&after, stepStore, i, c.write, "")
		return
	}
	var broken Property
	if c.write < s.last {
		broken = PropertyWrites
	} else if slices.ContainsFunc(s.candidates[:m.candidates], func(o candidateState) bool {
		return o.rank == uint8(protocol.RankLeader) && o.token > c.write
	}) {
		broken = PropertyDeposed
	}
	after.max, after.last = uint8(resource.Max), max(s.last, c.write)
	w.emit(&after, stepStore, i, c.write, broken)
}

// fate pauses, resumes and kills a candidate. Its write stays on its way.
func (w *leaseWalk) fate(i uint8) {
	m, s := w.m, &w.before
	if m.pause {
		after := *s
		after.candidates[i].paused = 1 - s.candidates[i].paused
		kind := stepPause
		if s.candidates[i].paused == 1 {
			kind = stepResume
		}
		w.emit(&after, kind, i, 0, "")
	}
	if m.crash && s.faults > 0 && s.candidates[i].rank != uint8(protocol.RankFollower) {
		after := *s
		after.candidates[i] = candidateState{write: s.candidates[i].write}
		after.faults--
		w.emit(&after, stepDie, i, 0, "")
	}
}

// time passes, unless the lease has to expire before.
func (w *leaseWalk) time() {
	m := w.m
	after := w.before
	if after.holder > 0 && after.ago >= m.ttl {
		after.holder, after.ago = 0, 0
		w.emit(&after, stepExpire, w.before.holder-1, 0, "")
		return
	}
	late := uint8(m.rules.RenewDeadline) + 1
	if after.holder > 0 {
		after.ago++
	}
	for i := range m.candidates {
		c := &after.candidates[i]
		if c.rank != uint8(protocol.RankFollower) {
			c.age = min(c.age+1, late)
		}
		if c.renewal != confirmNone {
			if c.asked++; c.asked >= late {
				c.renewal, c.asked = confirmNone, 0
			}
		}
	}
	w.emit(&after, stepLeaseTick, 0, 0, "")
}
