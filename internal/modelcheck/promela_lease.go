package modelcheck

import (
	"fmt"
	"strings"

	"example.test/eddy/phase/protocol"
)

func (m *leaseModel) promela(title string) string {
	p := &promela{}
	p.line("/* %s, for Spin: spin -a, then pan. */", title)
	p.line("byte holder, granted, ago, largest, last, faults = %d;", m.faults)
	for i := range m.candidates {
		p.line("byte rank%d, token%d, age%d, paused%d, write%d, renewal%d, asked%d;", i, i, i, i, i, i, i)
	}
	p.line("active proctype lease() {")
	p.line("\tskip;")
	p.line("\tdo")
	for i := range m.candidates {
		m.promelaCandidate(p, i)
		m.promelaRenewal(p, i)
		m.promelaWrite(p, i)
		m.promelaFate(p, i)
	}
	m.promelaTime(p)
	p.line("\tod")
	p.line("}")
	return p.String()
}

// nobody is a candidate that there is not.
const nobody = -1

// others joins a condition on every candidate but one, or on all but nobody.
func (m *leaseModel) others(i int, condition func(k int) string) string {
	var all []string
	for k := range m.candidates {
		if k != i {
			all = append(all, condition(k))
		}
	}
	if len(all) == 0 {
		return "false"
	}
	return "(" + strings.Join(all, " || ") + ")"
}

// promelaAlone asserts that no other candidate may act.
func (m *leaseModel) promelaAlone(i int) string {
	return fmt.Sprintf("assert(!%s)", m.others(i, func(k int) string {
		return fmt.Sprintf("rank%d == 2 && age%d <= %d", k, k, m.rules.RenewDeadline)
	}))
}

func (m *leaseModel) promelaCandidate(p *promela, i int) {
	v := numbered(i)
	gone := []string{v("rank# = 0"), v("token# = 0"), v("age# = 0")}
	granted := []string{fmt.Sprintf("holder = %d", i+1), "ago = 0", "granted++", v("token# = granted"), v("age# = 0")}
	if m.rules.Seal {
		granted = append(granted, v("rank# = 1"))
	} else {
		granted = append(granted, v("rank# = 2"), m.promelaAlone(i))
	}
	p.option(v("# acquires"), fmt.Sprintf(v("paused# == 0 && holder == 0 && rank# == 0 && granted < %d"), maxTokens), granted...)
	awake := v("paused# == 0 && rank# > 0")
	p.option(v("# steps down"), fmt.Sprintf(v("%s && age# > %d"), awake, m.rules.RenewDeadline), gone...)
	inTime := fmt.Sprintf(v("%s && age# <= %d"), awake, m.rules.RenewDeadline)
	p.option(v("# seals"), inTime+v(" && rank# == 1 && token# >= largest"), v("largest = token#"), v("rank# = 2"), m.promelaAlone(i))
	p.option(v("# cannot seal"), inTime+v(" && rank# == 1 && token# < largest"), gone...)
	p.option(v("# resigns"), inTime+v(" && write# == 0"),
		append([]string{when(fmt.Sprintf(v("holder == %d && granted == token#"), i+1), "holder = 0", "ago = 0")}, gone...)...)
}

func (m *leaseModel) promelaRenewal(p *promela, i int) {
	v := numbered(i)
	p.option(v("# asks to renew"), fmt.Sprintf(v("renewal# == 0 && paused# == 0 && rank# > 0 && age# <= %d"), m.rules.RenewDeadline), v("renewal# = 1"), v("asked# = 0"))
	p.option(v("# is renewed, or not"), v("renewal# == 1"),
		fmt.Sprintf(v("if :: holder == %d && granted == token# -> ago = 0; renewal# = 2 :: else -> renewal# = 0; asked# = 0 fi"), i+1))
	asked := v("asked#")
	if m.breaks[RuleRenewal] {
		asked = "0"
	}
	// A tenure whose deadline has passed ends first, and a renewal of another token
	// than the one held does not count: there is none, as it is dropped with it.
	p.option(v("# learns of it"), v("renewal# == 2 && paused# == 0"),
		fmt.Sprintf(v("if :: rank# > 0 && age# > %d -> rank# = 0; token# = 0; age# = 0 :: rank# > 0 && age# <= %d -> if :: %s < age# -> age# = %s :: else fi :: else fi"), m.rules.RenewDeadline, m.rules.RenewDeadline, asked, asked),
		v("renewal# = 0"), v("asked# = 0"))
}

func (m *leaseModel) promelaWrite(p *promela, i int) {
	v := numbered(i)
	p.option(v("# writes"), fmt.Sprintf(v("write# == 0 && paused# == 0 && rank# == 2 && age# <= %d"), m.rules.RenewDeadline), v("write# = token#"))
	took := "true"
	switch m.check {
	case protocol.CheckNone:
	case protocol.CheckToken:
		took = v("write# >= largest")
	case protocol.CheckTxn:
		took = v("holder > 0 && write# == granted")
	}
	deposed := m.others(nobody, func(k int) string { return fmt.Sprintf(v("rank%d == 2 && token%d > write#"), k, k) })
	p.option(v("the write of # arrives"), v("write# > 0"),
		when(took, v("assert(write# >= last)"), fmt.Sprintf("assert(!%s)", deposed),
			when(v("write# > largest"), v("largest = write#")), when(v("write# > last"), v("last = write#"))),
		v("write# = 0"))
}

func (m *leaseModel) promelaFate(p *promela, i int) {
	v := numbered(i)
	if m.pause {
		p.option(v("# is paused, or runs again"), "true", v("paused# = 1 - paused#"))
	}
	if m.crash {
		p.option(v("# crashes"), v("faults > 0 && rank# > 0"), v("rank# = 0"), v("token# = 0"), v("age# = 0"), v("paused# = 0"), v("renewal# = 0"), v("asked# = 0"), "faults--")
	}
}

func (m *leaseModel) promelaTime(p *promela) {
	p.option("the lease expires", fmt.Sprintf("holder > 0 && ago >= %d", m.ttl), "holder = 0", "ago = 0")
	late := m.rules.RenewDeadline + 1
	does := []string{when("holder > 0", "ago++")}
	for i := range m.candidates {
		v := numbered(i)
		does = append(does, when(fmt.Sprintf(v("rank# > 0 && age# < %d"), late), v("age#++")),
			when(v("renewal# > 0"), v("asked#++"), when(fmt.Sprintf(v("asked# >= %d"), late), v("renewal# = 0"), v("asked# = 0"))))
	}
	p.option("a tick", fmt.Sprintf("!(holder > 0 && ago >= %d)", m.ttl), does...)
}
