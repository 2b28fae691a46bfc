package condition

import (
	"slices"
	"time"

	"example.test/eddy/internal/telemetry"
)

// A Lane is the values of one state over a window, for a picture.
type Lane struct {
	Entity    string `json:"entity,omitempty"`
	Instance  string `json:"instance,omitempty"`
	Dimension string `json:"dimension"`
	// Stretches are in order of time and do not overlap. There are none where
	// nothing is known: a state that only spans tell of.
	Stretches []Stretch `json:"stretches"`
}

// A Stretch is a time in which one value was in force.
type Stretch struct {
	Value string `json:"value"`
	// Start and End lie within the window.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Began is when the value came into force, which may be long before the
	// window; zero if only a later change says that it was in force before it.
	Began time.Time `json:"began,omitzero"`
	// Holds says that the value is that of one of the conditions asked for.
	Holds bool `json:"holds"`
	// Change put the value in force; nil if Began is zero.
	Change *telemetry.Change `json:"change,omitempty"`
}

// Lanes returns a lane for each state that the conditions are about, in the
// order of the conditions, and lanes of its instances after it.
func (t *Timeline) Lanes(w telemetry.Window, conditions []Condition) []Lane {
	var out []Lane
	for i, c := range conditions {
		if slices.ContainsFunc(conditions[:i], func(b Condition) bool { return b.Name() == c.Name() }) {
			continue
		}
		holds := func(v string) bool {
			return slices.Contains(conditions, Condition{Entity: c.Entity, Dimension: c.Dimension, Value: v})
		}
		lanes := len(out)
		for _, h := range t.entities[c.Entity] {
			if h.dimension == c.Dimension {
				out = append(out, h.lane(w, holds))
			}
		}
		if len(out) == lanes {
			out = append(out, Lane{Entity: c.Entity, Dimension: c.Dimension, Stretches: []Stretch{}})
		}
	}
	return out
}

func (h *history) lane(w telemetry.Window, holds func(string) bool) Lane {
	l := Lane{Entity: h.entity, Instance: h.instance, Dimension: h.dimension, Stretches: []Stretch{}}
	if first := h.changes[0]; first.Previous != "" {
		l.add(w, Stretch{Value: first.Previous, Start: w.Start, End: first.Time, Holds: holds(first.Previous)})
	}
	for i, c := range h.changes {
		if c.Ends {
			continue
		}
		end := w.End
		if i+1 < len(h.changes) {
			end = h.changes[i+1].Time
		}
		l.add(w, Stretch{Value: c.Value, Start: c.Time, End: end, Began: c.Time, Holds: holds(c.Value), Change: c})
	}
	return l
}

// add cuts a stretch to the window and appends it, or lengthens the one before
// if the value is the same.
func (l *Lane) add(w telemetry.Window, s Stretch) {
	if s.Start.Before(w.Start) {
		s.Start = w.Start
	}
	if s.End.After(w.End) {
		s.End = w.End
	}
	if !s.Start.Before(s.End) {
		return
	}
	if n := len(l.Stretches); n > 0 && l.Stretches[n-1].Value == s.Value && l.Stretches[n-1].End.Equal(s.Start) {
		l.Stretches[n-1].End = s.End
		return
	}
	l.Stretches = append(l.Stretches, s)
}
