package condition

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/telemetry"
)

// A TimelineConfig bounds a timeline. The zero value of a field means its
// default.
type TimelineConfig struct {
	// MaxKeys is how many states (an entity's dimension, at an instance or at
	// all of them) are followed. Default 20,000.
	MaxKeys int
	// MaxHistory is how many changes of one state are kept. The last one always
	// is. Default 256.
	MaxHistory int
}

// A Timeline knows which states changes put in force, and until when. Changes
// may come late, more than once, and in any order: what is in force depends
// only on which changes came.
//
// When a state has more than MaxHistory changes the oldest are dropped. When
// there are more than MaxKeys states, those that ended the longest ago are
// dropped; if none has ended, the new one is refused. Both are counted. It is
// not safe for concurrent use.
type Timeline struct {
	config   TimelineConfig
	entities map[string][]*history // by dimension, then instance
	places   map[place][]*history  // the same, by dimension
	ids      map[string]struct{}
	parts    map[string][]string // what Attach said, by whole
	keys     int
	stats    TimelineStats
}

// TimelineStats count what a timeline did since it was made.
type TimelineStats struct {
	Changes    uint64 `json:"changes"`    // applied
	Duplicates uint64 `json:"duplicates"` // left out: the ID was applied before
	Invalid    uint64 `json:"invalid"`    // left out: no id, time or dimension, or no value and not an end
	Dropped    uint64 `json:"dropped"`    // forgotten because a bound was hit
	Refused    uint64 `json:"refused"`    // left out because MaxKeys was hit
	Keys       int    `json:"keys"`       // now
}

// A place is an instance of an entity, or with "" for one the whole entity. Instances
// come and go, and a request is at few of them, so what is in force at one is found
// without looking at the others.
type place struct{ entity, instance string }

// A history is all that is known of one state, by time and then by id.
type history struct {
	entity, dimension, instance string
	changes                     []*telemetry.Change
}

// A State is a value in force.
type State struct {
	Entity    string `json:"entity,omitempty"`
	Instance  string `json:"instance,omitempty"`
	Dimension string `json:"dimension"`
	Value     string `json:"value"`
	// Since is when the value came into force, however often it was set again.
	Since time.Time `json:"since"`
	// Change is the last one that set it.
	Change *telemetry.Change `json:"change"`
}

// Condition returns the state as a condition.
func (s State) Condition() Condition {
	return Condition{Entity: s.Entity, Dimension: s.Dimension, Value: s.Value}
}

// NewTimeline returns an empty timeline.
func NewTimeline(c TimelineConfig) *Timeline {
	if c.MaxKeys <= 0 {
		c.MaxKeys = 20_000
	}
	if c.MaxHistory <= 0 {
		c.MaxHistory = 256
	}
	return &Timeline{
		config:   c,
		entities: make(map[string][]*history),
		places:   make(map[place][]*history),
		ids:      make(map[string]struct{}),
		parts:    make(map[string][]string),
	}
}

// Apply takes changes in. It keeps the pointers; the changes must not be
// changed afterwards.
func (t *Timeline) Apply(changes ...*telemetry.Change) {
	for _, c := range changes {
		if c == nil || c.ID == "" || c.Dimension == "" || c.Time.IsZero() || (c.Value == "" && !c.Ends) {
			t.stats.Invalid++
			continue
		}
		if _, ok := t.ids[c.ID]; ok {
			t.stats.Duplicates++
			continue
		}
		h := t.history(c)
		if h == nil {
			t.stats.Refused++
			continue
		}
		t.stats.Changes++
		t.ids[c.ID] = struct{}{}
		i, _ := slices.BinarySearchFunc(h.changes, c, compareChanges)
		h.changes = slices.Insert(h.changes, i, c)
		if len(h.changes) > t.config.MaxHistory {
			t.stats.Dropped++
			delete(t.ids, h.changes[0].ID)
			h.changes = slices.Delete(h.changes, 0, 1)
		}
	}
}

func compareChanges(a, b *telemetry.Change) int {
	return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID))
}

// history returns the history that c belongs to, which it makes if there is
// room.
func (t *Timeline) history(c *telemetry.Change) *history {
	h := &history{entity: c.Entity, dimension: c.Dimension, instance: c.Instance}
	i, ok := slices.BinarySearchFunc(t.entities[c.Entity], h, compareHistories)
	if ok {
		return t.entities[c.Entity][i]
	}
	if t.keys >= t.config.MaxKeys {
		t.dropEnded()
		if t.keys >= t.config.MaxKeys {
			return nil
		}
		i, _ = slices.BinarySearchFunc(t.entities[c.Entity], h, compareHistories)
	}
	t.entities[c.Entity] = slices.Insert(t.entities[c.Entity], i, h)
	at := h.place()
	i, _ = slices.BinarySearchFunc(t.places[at], h, compareHistories)
	t.places[at] = slices.Insert(t.places[at], i, h)
	t.keys++
	return h
}

func (h *history) place() place { return place{h.entity, h.instance} }

// drop forgets a history.
func (t *Timeline) drop(h *history) {
	is := func(x *history) bool { return x == h }
	t.entities[h.entity] = slices.DeleteFunc(t.entities[h.entity], is)
	if len(t.entities[h.entity]) == 0 {
		delete(t.entities, h.entity)
	}
	at := h.place()
	t.places[at] = slices.DeleteFunc(t.places[at], is)
	if len(t.places[at]) == 0 {
		delete(t.places, at)
	}
	for _, c := range h.changes {
		delete(t.ids, c.ID)
	}
	t.stats.Dropped += uint64(len(h.changes))
	t.keys--
}

func compareHistories(a, b *history) int {
	return cmp.Or(strings.Compare(a.dimension, b.dimension), strings.Compare(a.instance, b.instance))
}

// dropEnded drops the tenth of the states that ended the longest ago, so that
// a flood of short-lived ones does not cost a search each.
func (t *Timeline) dropEnded() {
	var ended []*history
	for _, list := range t.entities {
		for _, h := range list {
			if h.last().Ends {
				ended = append(ended, h)
			}
		}
	}
	slices.SortFunc(ended, func(a, b *history) int {
		return cmp.Or(compareChanges(a.last(), b.last()), strings.Compare(a.entity, b.entity), compareHistories(a, b))
	})
	for _, h := range ended[:min(len(ended), max(1, t.config.MaxKeys/10))] {
		t.drop(h)
	}
}

func (h *history) last() *telemetry.Change { return h.changes[len(h.changes)-1] }

// at returns the state that is in force at a time, and whether there is one.
func (h *history) at(at time.Time) (State, bool) {
	n, _ := slices.BinarySearchFunc(h.changes, at, func(c *telemetry.Change, at time.Time) int {
		if c.Time.After(at) {
			return 1
		}
		return -1
	})
	if n == 0 || h.changes[n-1].Ends {
		return State{}, false
	}
	c := h.changes[n-1]
	s := State{Entity: h.entity, Instance: h.instance, Dimension: h.dimension, Value: c.Value, Since: c.Time, Change: c}
	for n--; n > 0 && h.changes[n-1].Value == c.Value && !h.changes[n-1].Ends; n-- {
		s.Since = h.changes[n-1].Time
	}
	return s, true
}

// Attach says that part belongs to whole, as a pool of connections belongs to
// the service that owns it: what passes through whole meets the states of part.
func (t *Timeline) Attach(whole, part string) {
	const most = 1_000
	list := t.parts[whole]
	if part == whole || slices.Contains(list, part) || len(list) >= most || len(t.parts) >= t.config.MaxKeys {
		return
	}
	t.parts[whole] = append(list, part)
	slices.Sort(t.parts[whole])
}

// InForce returns what is in force for an entity at a time, by dimension. With
// an instance, a state of that instance goes before the same of the whole
// entity; without one, only states of the whole entity are in force.
func (t *Timeline) InForce(entity, instance string, at time.Time) []State {
	whole, own := t.places[place{entity, ""}], []*history(nil)
	if instance != "" {
		own = t.places[place{entity, instance}]
	}
	var out []State
	for len(whole) > 0 || len(own) > 0 {
		var h *history
		if len(own) == 0 || len(whole) > 0 && whole[0].dimension <= own[0].dimension {
			h, whole = whole[0], whole[1:] // of the same dimension, that of the whole entity first
		} else {
			h, own = own[0], own[1:]
		}
		s, ok := h.at(at)
		if !ok {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Dimension == s.Dimension {
			out[n-1] = s
			continue
		}
		out = append(out, s)
	}
	return out
}

// All returns all that is in force at a time, by entity, dimension and
// instance.
func (t *Timeline) All(at time.Time) []State {
	var out []State
	for _, list := range t.entities {
		for _, h := range list {
			if s, ok := h.at(at); ok {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b State) int {
		return cmp.Or(Compare(a.Condition(), b.Condition()), strings.Compare(a.Instance, b.Instance))
	})
	return out
}

// Stats returns what was counted so far.
func (t *Timeline) Stats() TimelineStats {
	s := t.stats
	s.Keys = t.keys
	return s
}
