package mediator

import (
	"cmp"
	"maps"
	"slices"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
)

// holds reports whether the guard of a transition holds, and if that cannot be
// told, why. The caller holds the lock, so what it reads does not change before
// the commit.
func (m *Mediator) holds(r *request) (bool, error) {
	guard, err := m.guards.Guard(r.transition.Guard)
	if err != nil {
		return false, err
	}
	return guard.Holds(m.facts(r))
}

// facts are what a guard may read.
func (m *Mediator) facts(r *request) cel.Facts {
	f := cel.Facts{
		Phase: contract.PhaseName(r.From), InFlight: r.Facts.Inflight, Now: r.now,
		Deps: make(map[string]contract.PhaseName), Metrics: make(map[string]cel.Metric),
		Probe: r.Facts.Probe, Request: r.Facts.Request, Lease: r.leaseFacts(),
	}
	if r.Expected > 0 {
		f.Dwell = r.now.Sub(r.subject.record.CommittedAt)
	}
	for name, value := range r.Facts.Metrics {
		f.Metrics[name] = cel.Metric{Value: value, At: r.IssuedAt}
	}
	watching := r.state.watching(r.Subject, r.now)
	for _, id := range slices.SortedFunc(maps.Keys(watching), consumerID.compare) {
		k := watching[id]
		f.Registered++
		if k.acked[r.Subject].Quiesced >= r.Expected {
			f.Acked++
		}
		f.Consumers = append(f.Consumers, cel.Consumer{Role: id.role, ID: id.name, VersionReads: k.reads, VersionWrites: k.writes})
	}
	for name, d := range r.contract.Deps {
		if c := m.contracts[d.Contract]; c != nil && c.subjects[d.Key] != nil {
			f.Deps[name] = contract.PhaseName(c.subjects[d.Key].record.Phase)
		}
	}
	return f
}

// leaseFacts say who holds the lease of the subject, nil if it has none.
func (r *request) leaseFacts() map[string]bool {
	if r.contract.Exclusivity == nil {
		return nil
	}
	announced := int64(r.subject.record.Token)
	return map[string]bool{
		"free":    r.lease == 0,
		"mine":    r.lease != 0 && r.lease == int64(r.Token),
		"expired": announced != 0 && r.lease != announced, // the tenure under which the phase was announced
		"sealed":  r.Facts.Sealed,
	}
}

// compare orders consumers by role and name.
func (id consumerID) compare(other consumerID) int {
	return cmp.Or(cmp.Compare(id.role, other.role), cmp.Compare(id.name, other.name))
}
