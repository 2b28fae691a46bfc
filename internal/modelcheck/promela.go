package modelcheck

import (
	"fmt"
	"strconv"
	"strings"

	"example.test/eddy/phase/contract"
)

// A PromelaModel is a run as text for Spin.
type PromelaModel struct {
	// Name is that of the run.
	Name string
	Text string
}

// Promela writes every run of [Check] as a model for Spin. It has the same states
// and the same steps, one process in one loop, and asserts the same properties
// except for those that begin with AG EF. The rules of the protocol are written out
// there a second time, in another language: that both give the same numbers of
// states is what says that neither has a slip.
//
// Spin counts one state and two steps more, for the entry of the loop.
func Promela(c *contract.Contract, o Options) ([]PromelaModel, error) {
	plans, err := plan(c, o)
	if err != nil {
		return nil, fmt.Errorf("model of %s: %w", c.ID(), err)
	}
	var models []PromelaModel
	for _, p := range plans {
		models = append(models, PromelaModel{Name: p.name, Text: p.model.promela(c.ID() + " " + p.name)})
	}
	return models, nil
}

// A promela collects the text of a model.
type promela struct{ strings.Builder }

func (p *promela) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// option is one step: what enables it, and what it does, without a stop between.
func (p *promela) option(comment, guard string, does ...string) {
	p.line("\t:: d_step { %s -> %s }\t/* %s */", guard, strings.Join(does, "; "), comment)
}

// plain is a name that cannot end a comment. Phases may be called anything: L01
// says what is wrong with that.
func plain(name string) string { return strings.ReplaceAll(name, "*/", "*?") }

// numbered returns what writes the number of a party for every # in a text.
func numbered(i int) func(text string) string {
	return func(text string) string { return strings.ReplaceAll(text, "#", strconv.Itoa(i)) }
}

// when is a statement that does something only if a condition holds.
func when(condition string, does ...string) string {
	return fmt.Sprintf("if :: %s -> %s :: else fi", condition, strings.Join(does, "; "))
}

// anyOf is a condition that a variable has one of some values.
func anyOf(variable string, values []int) string {
	if len(values) == 0 {
		return "false"
	}
	var terms []string
	for _, v := range values {
		terms = append(terms, fmt.Sprintf("%s == %d", variable, v))
	}
	return "(" + strings.Join(terms, " || ") + ")"
}

func (m *announceModel) promela(title string) string {
	p := &promela{}
	p.line("/* %s, for Spin: spin -a, then pan. */", title)
	for i, phase := range m.contract.Phases {
		p.line("/* phase %d is %s */", i, plain(string(phase.Name)))
	}
	for x, action := range m.actions {
		p.line("/* action %d is %s */", x+1, action)
	}
	p.line("byte actual = %d, mode, step, since, epoch, faults = %d;", m.start, m.faults)
	p.line("byte history[%d];", m.epochs+1)
	if m.silent {
		p.line("byte ages[%d];", m.epochs+1)
	}
	if m.graced > 0 {
		p.line("byte held;")
	}
	for i, r := range m.roles {
		believed := 0
		if !r.Acknowledges() {
			believed = 1
		}
		p.line("byte believed%d = %d, floor%d, age%d, confirm%d, confirmed%d, asked%d, pushed%d, flight%d, flying%d, under%d, late%d, acked%d, restarted%d;", i, believed, i, i, i, i, i, i, i, i, i, i, i, i)
	}
	p.line("active proctype subject() {")
	p.line("\thistory[0] = %d;", m.start)
	p.line("\tdo")
	m.promelaProducer(p)
	m.promelaRestarts(p)
	for i, r := range m.roles {
		if r.Acknowledges() {
			m.promelaConfirms(p, i)
			m.promelaPushes(p, i)
			m.promelaCrashes(p, i)
		} else {
			m.promelaLearns(p, i)
		}
		m.promelaRequests(p, i)
	}
	m.promelaTick(p)
	p.line("\tod")
	p.line("}")
	return p.String()
}

// promelaAcked is the condition that everyone has acknowledged the present epoch.
func (m *announceModel) promelaAcked() string {
	var all []string
	for i, r := range m.roles {
		if r.Acknowledges() {
			all = append(all, fmt.Sprintf("(restarted%d >= %d || acked%d == 1 && restarted%d == 0)", i, restartedHadAcked, i, i))
		}
	}
	switch {
	case m.others || m.breaks[RuleAcks]:
		return "true"
	case len(all) == 0:
		return "false"
	}
	return strings.Join(all, " && ")
}

func (m *announceModel) promelaProducer(p *promela) {
	acked := m.promelaAcked()
	for i, r := range m.rules {
		name := plain(string(m.phaseName(r.from) + " to " + m.phaseName(r.to)))
		if r.announceFirst {
			ready := "true"
			if r.wait.AtMost > 0 {
				ready = fmt.Sprintf("since > %d", r.wait.AtMost)
				if r.wait.Quiesced {
					ready = fmt.Sprintf("(%s || %s)", ready, acked)
				}
			}
			p.option("enforce "+name, fmt.Sprintf("mode == %d && step == %d && %s", modeAnnounced, i+1, ready), m.promelaInForce(r.to), "mode = 0", "step = 0")
		}
		settled := "true"
		if !r.skipSettle {
			settled = fmt.Sprintf("(epoch == 0 || %s || since > %d)", acked, m.settle)
		}
		may := fmt.Sprintf("epoch < %d && %s && (epoch == 0 || since >= %d)", m.epochs, settled, r.dwell)
		start := fmt.Sprintf("mode == 0 && history[epoch] == %d && %s", r.from, may)
		commit := m.promelaCommit(r.to)
		switch {
		case !r.possible:
		case r.announceFirst:
			p.option("commit "+name, start, append(commit, fmt.Sprintf("mode = %d", modeAnnounced), fmt.Sprintf("step = %d", i+1))...)
		case r.atomic:
			p.option("commit "+name, start, append(commit, m.promelaInForce(r.to))...)
		default:
			p.option("make "+name, start, m.promelaInForce(r.to), fmt.Sprintf("mode = %d", modeActed), fmt.Sprintf("step = %d", i+1))
			p.option("commit "+name, fmt.Sprintf("mode == %d && step == %d && %s", modeActed, i+1, may), append(commit, "mode = 0", "step = 0")...)
		}
	}
}

// promelaInForce puts a phase in force.
func (m *announceModel) promelaInForce(phase any) string {
	if m.graced == 0 {
		return fmt.Sprintf("actual = %v", phase)
	}
	return fmt.Sprintf("actual = %v; held = 0", phase)
}

// promelaRestarts lets the producer or the mediator crash.
func (m *announceModel) promelaRestarts(p *promela) {
	if m.crash[contract.PartyProducer] {
		p.option("the producer crashes", fmt.Sprintf("mode == %d && faults > 0", modeActed), m.promelaInForce("history[epoch]"), "mode = 0", "step = 0", "faults--")
	}
	if !m.crash[contract.PartyMediator] {
		return
	}
	var changes, does []string
	for i, r := range m.roles {
		if !r.Acknowledges() {
			continue
		}
		v := numbered(i)
		does = append(does, v("acked# = 0"))
		if m.breaks[RuleRoll] {
			changes = append(changes, fmt.Sprintf(v("acked# == 1 || restarted# != %d"), restartedUnknown))
			does = append(does, fmt.Sprintf(v("restarted# = %d"), restartedUnknown))
			continue
		}
		changes = append(changes, fmt.Sprintf(v("acked# == 1 || restarted# == %d"), restartedHadAcked))
		does = append(does, when(fmt.Sprintf(v("restarted# == %d"), restartedHadAcked), fmt.Sprintf(v("restarted# = %d"), restartedUnacked)))
	}
	if len(changes) > 0 {
		p.option("the mediator crashes", fmt.Sprintf("faults > 0 && (%s)", strings.Join(changes, " || ")), append(does, "faults--")...)
	}
}

func (m *announceModel) promelaCommit(to uint8) []string {
	does := []string{"epoch++", "since = 0", fmt.Sprintf("history[epoch] = %d", to)}
	for i, r := range m.roles {
		if !r.Acknowledges() {
			continue
		}
		does = append(does, fmt.Sprintf("pushed%d = pushed%d | (1 << epoch)", i, i), fmt.Sprintf("acked%d = 0", i),
			when(fmt.Sprintf("restarted%d == %d", i, restartedHadAcked), fmt.Sprintf("restarted%d = %d", i, restartedUnacked)))
	}
	return does
}

// promelaBelieve wraps what happens to a consumer in what the protocol does on
// every event.
func (m *announceModel) promelaBelieve(i int, does ...string) []string {
	var all []string
	if m.breaks[RuleOrder] {
		all = append(all, fmt.Sprintf("floor%d = 0", i))
	}
	all = append(all, does...)
	older := fmt.Sprintf(" && late%d != 1", i)
	if m.breaks[RuleQuiesce] {
		older = ""
	}
	return append(all, when(fmt.Sprintf("epoch > 0 && believed%d == epoch + 1%s", i, older), fmt.Sprintf("acked%d = 1", i)))
}

// promelaAdopt makes an epoch the one believed.
func promelaAdopt(i int, e string) []string {
	return []string{
		fmt.Sprintf("assert(believed%d <= %s + 1)", i, e),
		when(fmt.Sprintf("flight%d > 0 && late%d == 0 && %s > under%d", i, i, e, i), fmt.Sprintf("late%d = 1", i), fmt.Sprintf("under%d = 0", i)),
		fmt.Sprintf("believed%d = %s + 1", i, e), fmt.Sprintf("floor%d = %s", i, e),
	}
}

func (m *announceModel) promelaConfirms(p *promela, i int) {
	v := numbered(i)
	p.option(v("# asks"), v("confirm# == 0"), v("confirm# = 1"), v("asked# = 0"))
	answer := []string{v("confirm# = 2"), v("confirmed# = epoch")}
	if m.breaks[RuleRoll] {
		answer = append(answer, when(fmt.Sprintf(v("restarted# == %d"), restartedUnknown), v("restarted# = 0")))
	}
	p.option(v("# is answered"), v("confirm# == 1"), answer...)
	asked := v("asked#")
	if m.breaks[RuleSending] {
		asked = "0"
	}
	hear := when(v("confirmed# >= floor#"), append([]string{
		when(fmt.Sprintf(v("believed# == 0 || %s < age#"), asked), fmt.Sprintf(v("age# = %s"), asked)),
	}, promelaAdopt(i, v("confirmed#"))...)...)
	p.option(v("# hears the answer"), v("confirm# == 2"),
		append(m.promelaBelieve(i, hear), v("confirm# = 0"), v("confirmed# = 0"), v("asked# = 0"))...)
}

func (m *announceModel) promelaPushes(p *promela, i int) {
	v := numbered(i)
	for e := 1; e <= int(m.epochs); e++ {
		here := fmt.Sprintf(v("(pushed# & %d) != 0"), 1<<e)
		if !m.reorder && e > 1 {
			here += fmt.Sprintf(v(" && (pushed# & %d) == 0"), 1<<e-1)
		}
		gone := fmt.Sprintf(v("pushed# = pushed# & %d"), 255-1<<e)
		hear := when(fmt.Sprintf(v("%d >= floor#"), e), when(v("believed# > 0"), promelaAdopt(i, fmt.Sprint(e))...), fmt.Sprintf(v("floor# = %d"), e))
		believe := m.promelaBelieve(i, hear)
		if m.breaks[RulePush] {
			believe = append(believe, when(v("believed# > 0"), v("age# = 0")))
		}
		p.option(fmt.Sprintf("%d is pushed epoch %d", i, e), here, append([]string{gone}, believe...)...)
		if m.duplicate {
			p.option(fmt.Sprintf("%d is pushed epoch %d, twice", i, e), here+" && faults > 0", append(believe, "faults--")...)
		}
		p.option(fmt.Sprintf("the push of epoch %d to %d is lost", e, i), here+" && faults > 0", gone, "faults--")
	}
}

func (m *announceModel) promelaCrashes(p *promela, i int) {
	v := numbered(i)
	if m.crash[contract.PartyConsumer] {
		restarted := when(v("acked# == 1 && restarted# == 0 || restarted# == 2"), v("restarted# = 2")) // else below
		restarted = strings.Replace(restarted, ":: else fi", v(":: else -> restarted# = 1 fi"), 1)
		switch {
		case m.breaks[RuleRestart]:
			restarted = v("restarted# = 0")
		case m.breaks[RuleRoll]:
			restarted = fmt.Sprintf(v("if :: restarted# == %d -> skip :: else -> %s fi"), restartedUnknown, restarted)
		}
		p.option(v("# crashes"), "faults > 0", restarted, v("believed# = 0"), v("floor# = 0"), v("age# = 0"), v("confirm# = 0"), v("confirmed# = 0"), v("asked# = 0"),
			v("pushed# = 0"), v("acked# = 0"), v("under# = 0"), v("if :: flight# > 0 -> late# = 2 :: else -> late# = 0 fi"), "faults--")
	}
	p.option(v("the former registration of # ends"), v("restarted# == 1 && flight# == 0"), v("restarted# = 0"))
}

func (m *announceModel) promelaLearns(p *promela, i int) {
	v := numbered(i)
	for e := 1; e <= int(m.epochs); e++ {
		p.option(fmt.Sprintf("%d learns epoch %d", i, e), fmt.Sprintf(v("believed# <= %d && %d <= epoch"), e, e), append([]string{fmt.Sprintf(v("believed# = %d"), e+1)}, m.promelaForget()...)...)
	}
}

// promelaForget drops the ages of epochs that all who do not acknowledge know of.
func (m *announceModel) promelaForget() []string {
	var does []string
	for e := 1; e <= int(m.epochs); e++ {
		var known []string
		for i, r := range m.roles {
			if !r.Acknowledges() {
				known = append(known, fmt.Sprintf("believed%d > %d", i, e))
			}
		}
		if len(known) > 0 {
			does = append(does, when(strings.Join(known, " && "), fmt.Sprintf("ages[%d] = 0", e)))
		}
	}
	return does
}

func (m *announceModel) promelaRequests(p *promela, i int) {
	v := numbered(i)
	acknowledges := m.roles[i].Acknowledges()
	landed := []string{v("flight# = 0"), v("flying# = 0"), v("under# = 0"), v("late# = 0")}
	for x := range m.actions {
		var denied []int
		for phase := range m.contract.Phases {
			if m.denies[phase][x] {
				denied = append(denied, phase)
			}
		}
		does := []string{fmt.Sprintf("assert(!%s)", anyOf("actual", denied))}
		for phase := range m.contract.Phases {
			if grace := m.graces[i][phase][x]; grace != noGrace {
				does = append(does, fmt.Sprintf(v("assert(!(actual == %d && held > %d && (late# != 0 || history[under#] != %d)))"), phase, grace, phase))
			}
		}
		if acknowledges {
			// A request of a former life is none of this one's.
			done := []string{v("flight# = 0"), v("late# = 0")}
			does = append(does, v("if :: late# == 2 -> skip :: else -> ")+strings.Join(m.promelaBelieve(i, done...), "; ")+" fi")
		}
		p.option(fmt.Sprintf("action %d of %d arrives", x+1, i), fmt.Sprintf(v("flight# == %d"), x+1), append(does, landed...)...)
		m.promelaSend(p, i, x)
	}
}

func (m *announceModel) promelaSend(p *promela, i, x int) {
	v := numbered(i)
	acknowledges := m.roles[i].Acknowledges()
	var phases []int
	for phase := range m.contract.Phases {
		if m.does[i][x]&(1<<phase) != 0 {
			phases = append(phases, phase)
		}
	}
	does := []string{fmt.Sprintf(v("flight# = %d"), x+1), v("flying# = 0")}
	if len(phases) > 0 {
		guard := fmt.Sprintf(v("flight# == 0 && believed# > 0 && %s"), anyOf(v("history[believed# - 1]"), phases))
		var asserts []string
		if acknowledges {
			asserts = append(asserts, fmt.Sprintf(v("assert(age# <= %d)"), m.ttl[i]))
		}
		for a := range m.contract.Phases {
			for _, b := range phases {
				if m.forbidden[i][a][b] {
					asserts = append(asserts, fmt.Sprintf(v("assert(!(actual == %d && history[believed# - 1] == %d))"), a, b))
				}
			}
		}
		held := append(asserts, does...)
		if !acknowledges && m.graced > 0 {
			held = append(held, v("under# = believed# - 1"))
		}
		if acknowledges {
			held = append(held, m.promelaBelieve(i, v("late# = 0"), v("under# = believed# - 1"))...)
		}
		p.option(fmt.Sprintf("%d sends action %d", i, x+1), guard, held...)
	}
	if m.doesUnknown[i][x] {
		p.option(fmt.Sprintf("%d sends action %d without a belief", i, x+1), v("flight# == 0 && believed# == 0"),
			append(does, m.promelaBelieve(i, v("late# = 1"))...)...)
	}
}

func (m *announceModel) promelaTick(p *promela) {
	var guards, does []string
	for i, r := range m.roles {
		v := numbered(i)
		guards = append(guards, fmt.Sprintf(v("(flight# == 0 || flying# < %d)"), m.flight))
		does = append(does, when(v("flight# > 0"), v("flying#++")))
		if !r.Acknowledges() {
			guards = append(guards, fmt.Sprintf(v("(believed# > epoch || ages[believed#] < %d)"), m.ttl[i]))
			continue
		}
		does = append(does, when(v("confirm# > 0"), v("asked#++"), when(fmt.Sprintf(v("asked# > %d"), m.ttl[i]), v("confirm# = 0"), v("confirmed# = 0"), v("asked# = 0"))))
		expire := []string{v("believed# = 0"), v("age# = 0")}
		if m.breaks[RuleFloor] {
			expire = append(expire, v("floor# = 0"))
		}
		older := []string{fmt.Sprintf(v("if :: age# <= %d -> age#++ :: else fi"), m.ttl[i])}
		if !m.breaks[RuleTTL] {
			older = append(older, when(fmt.Sprintf(v("age# > %d"), m.ttl[i]), expire...))
		}
		does = append(does, when(v("believed# > 0"), m.promelaBelieve(i, older...)...))
	}
	does = append([]string{when(fmt.Sprintf("epoch > 0 && since < %d", m.longest), "since++")}, does...)
	if m.graced > 0 {
		does = append(does, when(fmt.Sprintf("held < %d", m.graced), "held++"))
	}
	if m.silent {
		for e := 1; e <= int(m.epochs); e++ {
			does = append(does, when(fmt.Sprintf("%d <= epoch && ages[%d] < %d", e, e, m.longest), fmt.Sprintf("ages[%d]++", e)))
		}
		does = append(does, m.promelaForget()...)
	}
	p.option("a tick", strings.Join(guards, " && "), does...)
}
