package modelcheck

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"example.test/eddy/phase/contract"
)

// An Event is what was observed.
type Event string

// The events. Those of a confirm are its sending, the mediator's answer, and its
// arrival.
const (
	EventCommitted Event = "committed" // Epoch, Phase
	EventActed     Event = "acted"     // Phase, which is announced only then
	EventEnforced  Event = "enforced"  // Epoch
	EventAsked     Event = "asked"     // Consumer
	EventAnswered  Event = "answered"  // Consumer
	EventHeard     Event = "heard"     // Consumer
	EventBelieved  Event = "believed"  // Consumer, Epoch: another than before
	EventSent      Event = "sent"      // Consumer, Action, and the Epoch believed
	EventArrived   Event = "arrived"   // Consumer, Action
)

// An Observation is something that was seen to happen in a run of real programs.
type Observation struct {
	At       time.Duration // since the run began
	Event    Event
	Consumer int // from 0
	Epoch    uint64
	Phase    contract.PhaseName
	Action   string
}

// String is the observation in words.
func (o Observation) String() string {
	text := fmt.Sprintf("%v: %s", o.At, o.Event)
	switch o.Event {
	case EventCommitted, EventActed, EventEnforced:
	default:
		text = fmt.Sprintf("%v: consumer %d %s", o.At, o.Consumer, o.Event)
	}
	if o.Phase != "" {
		text += " " + string(o.Phase)
	}
	if o.Action != "" {
		text += " " + o.Action
	}
	if o.Epoch > 0 {
		text += fmt.Sprintf(" @%d", o.Epoch)
	}
	return text
}

// mostTraceStates bounds the states that a run may be in at one time, for all
// that was observed.
const mostTraceStates = 10_000

// Follow replays a run of one subject and consumers of one role that
// acknowledges through the model of Check, and returns an error that names the
// first observation for which there is no step. The run begins with a subject that
// was never announced, and all consumers there; none restarts.
//
// What was not observed may have happened or not: that a push came to who believed
// nothing. An event falls on the tick before it, so waits may be up to a tick
// shorter than they must. To lose no more by rounding, let the contract's times be
// multiples of the tick.
func Follow(c *contract.Contract, role string, consumers int, tick time.Duration, run []Observation) error {
	r, ok := c.Consumer(role)
	if !ok || !r.Acknowledges() {
		return fmt.Errorf("follow %s: %q is no role that acknowledges", c.ID(), role)
	}
	m, err := newAnnounceModel(c, slices.Repeat([]contract.Consumer{r}, consumers), tick, Options{Tick: tick, Epochs: maxEpochs, Faults: new(int)})
	if err != nil {
		return fmt.Errorf("follow %s: %w", c.ID(), err)
	}
	m.lenient()
	t := &tracer{model: m, believed: make([]uint8, consumers), answered: make([]int, consumers)}
	for i := range t.answered {
		t.answered[i] = math.MinInt / 2 // never
	}
	first := make([]byte, m.size())
	m.initial(first)
	t.states = map[moment]bool{{state: string(first)}: true}
	for len(run) > 0 {
		n := 1
		for n < len(run) && run[n].At == run[0].At {
			n++
		}
		if err := t.instant(run[:n]); err != nil {
			return fmt.Errorf("follow %s: %w", c.ID(), err)
		}
		run = run[n:]
	}
	return nil
}

// lenient takes a tick off all waits: between two events there may be one less than
// the time between them has.
func (m *announceModel) lenient() {
	less := func(n uint8) uint8 { return n - min(n, 1) }
	m.settle = less(m.settle)
	for i := range m.rules {
		r := &m.rules[i]
		r.dwell = less(r.dwell)
		if r.wait.AtMost > 1 {
			r.wait.AtMost--
		}
	}
}

// A tracer knows all states that a run may be in.
type tracer struct {
	model  *announceModel
	states map[moment]bool
	// believed is what each consumer is known to believe, as in consumerState.
	believed []uint8
	// answered is the tick at which each was answered last.
	answered []int
}

// A moment is a state of the model after some ticks, with how many observations
// of each lane of an instant it accounts for.
type moment struct {
	state string
	ticks int
	done  [1 + 3*maxConsumers]uint8
}

// lane is the order that an observation belongs to: what one party records is in
// order, and of what several record at one instant nobody knows.
func (o Observation) lane() int {
	const confirms, beliefs, actions = 1, 2, 3
	switch o.Event {
	case EventAsked, EventAnswered, EventHeard:
		return 3*o.Consumer + confirms
	case EventBelieved:
		return 3*o.Consumer + beliefs
	case EventSent, EventArrived:
		return 3*o.Consumer + actions
	default:
		return 0
	}
}

// instant accounts for what was observed at one time.
func (t *tracer) instant(seen []Observation) error {
	var lanes [1 + 3*maxConsumers][]Observation
	for _, o := range seen {
		lanes[o.lane()] = append(lanes[o.lane()], o)
	}
	now := int(seen[0].At / t.model.tick)
	open := slices.Collect(maps.Keys(t.states))
	found := maps.Clone(t.states)
	end := make(map[moment]bool)
	for _, o := range seen {
		switch o.Event {
		case EventBelieved:
			t.believed[o.Consumer] = uint8(o.Epoch) + 1
		case EventAnswered:
			t.answered[o.Consumer] = now
		default: // of others the model keeps count
		}
	}
	furthest, farthest := open[0], -1
	for len(open) > 0 {
		if len(found) > mostTraceStates {
			return fmt.Errorf("at %v: more than %d states fit what was observed", seen[0].At, mostTraceStates)
		}
		at := open[len(open)-1]
		open = open[:len(open)-1]
		done, all := 0, 0
		for i := range lanes {
			done, all = done+int(at.done[i]), all+len(lanes[i])
		}
		if done > farthest {
			furthest, farthest = at, done
		}
		if done == all && at.ticks == now && t.agrees(at) {
			end[moment{state: at.state, ticks: at.ticks}] = true
		}
		for _, next := range t.next(at, lanes[:], now) {
			if !found[next] {
				found[next] = true
				open = append(open, next)
			}
		}
	}
	if len(end) == 0 {
		return t.refuted(furthest, lanes[:])
	}
	t.states = end
	return nil
}

// agrees reports whether nobody believes anything in the model that it did not
// come to believe in the run. In the model beliefs may last up to a tick longer,
// and epoch 0 is believed where nothing was heard of the subject.
func (t *tracer) agrees(at moment) bool {
	var s announceState
	t.model.unpack([]byte(at.state), &s)
	for i, believed := range t.believed {
		if b := s.consumers[i].believed; b != 0 && b != believed && (b != 1 || believed != 0) {
			return false
		}
	}
	return true
}

// next are the moments that may follow one at the same instant: by what was not
// observed, and by the next observation of each lane.
func (t *tracer) next(at moment, lanes [][]Observation, now int) []moment {
	var list []moment
	var before announceState
	t.model.unpack([]byte(at.state), &before)
	e := &emitter{next: make([]byte, t.model.size())}
	e.take = func(label uint32, broken Property) {
		kind, i, what := unlabel(label)
		next := at
		next.state = string(e.next)
		switch {
		case broken != "":
		case kind == stepTick:
			if next.ticks++; next.ticks <= now {
				list = append(list, next)
			}
		case kind == stepPush && before.consumers[i].believed == 0 && what > before.consumers[i].floor:
			list = append(list, next) // without a belief nobody sees that it came
		}
		if broken != "" || at.ticks < now {
			return
		}
		for lane := range lanes {
			if n := at.done[lane]; int(n) < len(lanes[lane]) && t.model.fits(lanes[lane][n], &before, e.next, label) {
				follows := next
				follows.ticks = at.ticks
				follows.done[lane]++
				list = append(list, follows)
			}
		}
	}
	t.model.steps([]byte(at.state), e)
	list = append(list, t.lapses(at, &before)...)
	if at.ticks < now {
		return list
	}
	return append(list, t.still(at, &before, lanes)...)
}

// fits reports whether a step is what was observed.
func (m *announceModel) fits(o Observation, before *announceState, after []byte, label uint32) bool {
	kind, i, what := unlabel(label)
	mine := int(i) == o.Consumer
	switch o.Event {
	case EventCommitted:
		return kind == stepCommit && m.rules[what].to == m.phase(o.Phase) && uint64(before.epoch)+1 == o.Epoch
	case EventActed:
		return kind == stepAct && m.rules[what].to == m.phase(o.Phase)
	case EventEnforced:
		return kind == stepEnforce && uint64(before.epoch) == o.Epoch
	case EventAsked:
		return kind == stepAsk && mine
	case EventAnswered:
		return kind == stepAnswer && mine
	case EventHeard:
		return kind == stepConfirm && mine
	case EventBelieved:
		var s announceState
		m.unpack(after, &s)
		return kind == stepPush && mine && uint64(s.consumers[i].believed) == o.Epoch+1
	case EventSent:
		return kind == stepSend && mine && m.actions[what] == o.Action && uint64(before.consumers[i].believed) == o.Epoch+1
	case EventArrived:
		return kind == stepArrive && mine && m.actions[what] == o.Action
	}
	return false
}

// lapses are the moments in which the registration of a consumer has ended that
// believes nothing, has nothing on its way and was not answered for so long that
// nothing of then can matter: nobody waits for it any more, which Check leaves out
// since that lets nobody do more. It counts as one that has acknowledged, until it
// is answered.
func (t *tracer) lapses(at moment, before *announceState) []moment {
	var list []moment
	for i := range t.believed {
		c := &before.consumers[i]
		long := at.ticks-t.answered[i] >= int(t.model.ttl[i]+t.model.flight)
		if !long || c.believed != 0 || c.flight != 0 || c.restarted != restartedNot {
			continue
		}
		s := *before
		s.consumers[i].restarted = restartedUnknown
		list = append(list, t.with(at, &s))
	}
	return list
}

// with is a moment with another state.
func (t *tracer) with(at moment, s *announceState) moment {
	packed := make([]byte, t.model.size())
	t.model.pack(s, packed)
	at.state = string(packed)
	return at
}

// still are the moments in which an observation is accounted for without a step of
// the model: a belief that the last confirm gave, a phase that was made before it
// was announced, an answer that comes when it is worth nothing any more, and a
// question whose last one was given up.
func (t *tracer) still(at moment, before *announceState, lanes [][]Observation) []moment {
	var list []moment
	for lane := range lanes {
		n := at.done[lane]
		if int(n) == len(lanes[lane]) {
			continue
		}
		o, next := lanes[lane][n], at
		switch c := &before.consumers[o.Consumer]; {
		case o.Event == EventBelieved && uint64(c.believed) == o.Epoch+1,
			o.Event == EventEnforced && before.mode == modeStable && uint64(before.epoch) == o.Epoch,
			(o.Event == EventAnswered || o.Event == EventHeard) && c.confirm == confirmNone:
			next.done[lane]++
		case o.Event == EventAsked && c.confirm != confirmNone:
			s := *before
			given := &s.consumers[o.Consumer]
			given.confirm, given.confirmed, given.asked = confirmNone, 0, 0
			next = t.with(next, &s)
		default:
			continue
		}
		list = append(list, next)
	}
	return list
}

// refuted says what has no step, and in which state.
func (t *tracer) refuted(at moment, lanes [][]Observation) error {
	var s announceState
	t.model.unpack([]byte(at.state), &s)
	var waiting []string
	for lane := range lanes {
		if n := int(at.done[lane]); n < len(lanes[lane]) {
			waiting = append(waiting, lanes[lane][n].String())
		}
	}
	if len(waiting) == 0 {
		waiting = []string{"that nobody came to believe what was heard"}
	}
	var beliefs []string
	for i := range t.believed {
		c := &s.consumers[i]
		beliefs = append(beliefs, fmt.Sprintf("consumer %d believes %s, confirmed %v ago", i, t.model.beliefName(&s, uint8(i)), time.Duration(c.age)*t.model.tick))
	}
	return fmt.Errorf("no step of the protocol is: %s; at that time %s was in force, %s was announced %v before, %s",
		strings.Join(waiting, ", or "), t.model.phaseName(s.actual), t.model.epochName(&s, s.epoch), time.Duration(s.since)*t.model.tick, strings.Join(beliefs, ", "))
}
