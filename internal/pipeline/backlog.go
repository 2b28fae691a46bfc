package pipeline

import (
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
)

// wait keeps what the store refused for the next step, within the bound; the
// oldest observations go first. Totals are one a bucket and entry, so they are
// allowed as many.
func (p *Pipeline) wait(r Result) {
	most := p.config.MaxObservations
	p.mu.Lock()
	defer p.mu.Unlock()
	if extra := len(r.Observations) - most; extra > 0 {
		r.Observations = slices.Clone(r.Observations[extra:])
		p.lost += uint64(extra)
	}
	if extra := len(r.Totals) - most; extra > 0 {
		r.Totals = slices.Clone(r.Totals[extra:])
	}
	if extra := len(r.Changes) - maxChanges; extra > 0 {
		r.Changes = slices.Clone(r.Changes[extra:])
	}
	p.unsaved = r
}

// merge puts what could not be saved before what is to be saved now. Of
// findings only the last are kept, with the window that they are of.
func merge(before, r Result) Result {
	if before.Dictionary == nil {
		return r
	}
	r.Requests += before.Requests
	r.Failed += before.Failed
	r.Slow += before.Slow
	r.Observations = slices.Concat(before.Observations, r.Observations)
	r.Changes = slices.Concat(before.Changes, r.Changes)
	r.Totals = latest(slices.Concat(before.Totals, r.Totals), func(t Total) any {
		return [3]any{t.Bucket, t.Entry.Service, t.Entry.Operation}
	})
	r.Incidents = latest(slices.Concat(before.Incidents, r.Incidents), func(i incident.Incident) any { return i.ID })
	return r
}

// latest keeps the last of each key, in the order in which keys first came.
func latest[T any](list []T, key func(T) any) []T {
	at := make(map[any]int, len(list))
	kept := list[:0]
	for _, x := range list {
		k := key(x)
		if i, ok := at[k]; ok {
			kept[i] = x
			continue
		}
		at[k] = len(kept)
		kept = append(kept, x)
	}
	return kept
}

// thin keeps all failures and slow requests, and at most the given number of
// successes, those with the smallest hashes, with weights.
func thin(list []condition.Observation, most int) []condition.Observation {
	var ok []uint64
	for i := range list {
		if list[i].Outcome == request.OK {
			ok = append(ok, rank(list[i].Request))
		}
	}
	if len(ok) <= most {
		return list
	}
	n := len(ok)
	slices.Sort(ok)
	limit := ok[most-1]
	kept := make([]condition.Observation, 0, len(list)-n+most)
	for _, o := range list {
		if o.Outcome == request.OK {
			if rank(o.Request) > limit {
				continue
			}
			o.Weight *= float64(n) / float64(most)
		}
		kept = append(kept, o)
	}
	return kept
}
