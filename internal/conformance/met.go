package conformance

import (
	"cmp"
	"slices"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// Met is how often callers that believed in one phase did something to subjects in
// another, and how often that did not fit. A rate of 1 is a contract or a caller that
// is wrong; one in between depends on when it happens.
type Met struct {
	Contract string  `json:"contract"`
	Role     string  `json:"role"`
	Action   string  `json:"action"`
	Actual   string  `json:"actual"`
	Believed string  `json:"believed"` // "?" is unknown
	N        float64 `json:"n"`
	Misfits  float64 `json:"misfits"`
	// Low and High are the 95 % interval of the rate of misfits.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// met counts the interactions of a window by what was in force and what was believed,
// where the two differ or did not fit, or nothing was known.
func (m *Monitor) met(w telemetry.Window) []Met {
	list := []Met{}
	for _, id := range m.known() {
		sums := make(map[Met]*Met)
		for s, n := range m.window(id, w) {
			if !s.annotated() {
				continue
			}
			k := Met{Contract: id, Role: s.role, Action: s.action, Actual: s.actual, Believed: s.believed}
			if sums[k] == nil {
				x := k
				sums[k] = &x
			}
			sums[k].N += n
			if v := m.verdict(s); v == contract.VerdictMismatch || v == contract.VerdictRefused {
				sums[k].Misfits += n
			}
		}
		for _, x := range sums {
			if x.Actual == x.Believed && x.Misfits == 0 {
				continue
			}
			x.Low, x.High = interaction.Wilson(x.Misfits, x.N)
			list = append(list, *x)
		}
	}
	slices.SortFunc(list, func(a, b Met) int {
		return cmp.Or(cmp.Compare(b.Misfits, a.Misfits), cmp.Compare(b.N, a.N), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Role, b.Role),
			cmp.Compare(a.Action, b.Action), cmp.Compare(a.Actual, b.Actual), cmp.Compare(a.Believed, b.Believed))
	})
	return list
}
