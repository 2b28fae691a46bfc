package incident

import (
	"fmt"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

const (
	// beforeFailure is how long before the first failure a phase failure may have
	// ended to belong to an incident.
	beforeFailure = 15 * time.Minute
	// maxPhases bounds the phase failures of an incident.
	maxPhases = 20
)

// phases adds to each open incident the phase failures of its time, where its
// failures show them or its requests pass the service that they are of.
func (t *Tracker) phases(s Step) {
	if len(s.Phases) == 0 {
		return
	}
	for _, k := range t.list {
		if k.State != Open {
			continue
		}
		failures := s.holdingAny(k)
		seen := s.flipped(failures)
		for _, f := range s.Phases {
			if f.Severity == conformance.Low || f.Until.Before(k.Began.Add(-beforeFailure)) {
				continue
			}
			if k.meets(s, f, failures) {
				k.phase(s, f, seen, len(failures))
			}
		}
	}
}

// holdingAny are the failures of an incident that are kept.
func (s Step) holdingAny(k *tracked) []*condition.Observation {
	list := slices.DeleteFunc(s.ended(k.Outcome), func(o *condition.Observation) bool {
		return o.Time.Before(k.Began) || !slices.Contains(k.Entries, o.Entry)
	})
	if k.Finding != nil {
		list = s.holding(list, k.Finding.Conditions)
	}
	return list
}

// flipped is how many requests say in their own trace that a phase did not fit.
func (s Step) flipped(failures []*condition.Observation) int {
	n := 0
	for _, o := range failures {
		if s.Flipped != nil && s.Flipped(o.Request.Trace) {
			n++
		}
	}
	return n
}

// meets reports whether a phase failure belongs to an incident: failures show it,
// or its requests pass the service that it is of.
func (k *tracked) meets(s Step, f conformance.Finding, failures []*condition.Observation) bool {
	traces := make(map[telemetry.TraceID]bool, len(f.Traces))
	for _, t := range f.Traces {
		traces[t] = true
	}
	return slices.ContainsFunc(failures, func(o *condition.Observation) bool { return traces[o.Request.Trace] }) ||
		f.Service != "" && slices.ContainsFunc(k.Entries, func(e request.Entry) bool {
			return e.Service == f.Service || s.Passes != nil && s.Passes(e.Service, f.Service)
		})
}

// phase adds a phase failure, or what is newly known of it.
func (k *tracked) phase(s Step, f conformance.Finding, seen, failures int) {
	f.For, f.Against, f.Missing = slices.Clone(f.For), slices.Clone(f.Against), slices.Clone(f.Missing)
	failed := wording.Plural(failures, k.Outcome.String()+" request") + " of this incident that are kept"
	switch {
	case seen > 0:
		f.For = append(f.For, fmt.Sprintf("%s of %s say in their own trace that a phase did not fit", wording.Count(seen), failed))
	case failures > 0:
		f.Against = append(f.Against, fmt.Sprintf("none of %s says in its own trace that a phase did not fit", failed))
	}
	if left := failures - seen; seen > 0 && left > 0 {
		f.Against = append(f.Against, fmt.Sprintf("%s of them do not", wording.Count(left)))
	}
	at := slices.IndexFunc(k.Phases, func(x conformance.Finding) bool {
		return x.Code == f.Code && x.Origin == f.Origin && x.Contract == f.Contract && x.Subject == f.Subject
	})
	k.dirty = true
	if at >= 0 {
		if k.Phases[at].Since.Before(f.Since) {
			f.Since = k.Phases[at].Since
		}
		k.Phases[at] = f
		return
	}
	if len(k.Phases) == maxPhases {
		return
	}
	k.Phases = append(k.Phases, f)
	k.add(Moment{Time: s.Now, What: "phase", Text: fmt.Sprintf("%s %s", f.Code, f.Text)})
}
