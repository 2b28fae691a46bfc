package condition

import (
	"strings"
	"time"
)

// A dimension is the values of one state that were seen of late. It tells
// conditions from identities by how often values come back: as long as there
// are few values all are conditions; once there are many, only those that came
// back (heavyCount). Which those are is counted by the algorithm of Misra and
// Gries: when a new value finds no room, all counts are lowered by one and
// those that reach none are dropped. So a value that comes back often enough
// stays, whatever else passes by, and the memory is bounded. A dimension that
// once had many values is held to that for a whole period after.
type dimension struct {
	entity, name string
	values       map[string]*value
	lastUsed     uint64 // stamp
	crowded      int    // periods for which it still counts as having many values
}

// A value is one condition, and how many requests had it of late, at least.
type value struct {
	dimension *dimension
	id        ID
	numbered  bool
	count     uint32
	lastUsed  uint64 // stamp, so that a value counts once a request
}

const (
	// maxValues is how many values of a dimension are told apart. Tenants of a
	// large product fit (400 and more), ids of requests do not.
	maxValues = 512
	// fewValues is how many values make a dimension one whose values are all
	// conditions.
	fewValues = 200
	// heavyCount is how many requests must have had one of many values.
	heavyCount = 5
	// period is how long a count takes to halve.
	period = 10 * time.Minute
	// maxText is how long a value may be; longer ones are somebody's text.
	maxText = 128
)

// name is the key of a dimension.
type name struct{ entity, dimension string }

// ledger holds the dimensions.
type ledger struct {
	dictionary *Dictionary
	dimensions map[name]*dimension
	limit      int
	stamp      uint64 // of the current observation
	aged       time.Time
	stats      *StamperStats
}

// value returns the value of a dimension for the current observation, or nil
// if there is no room for the dimension, or the value is no condition's.
func (l *ledger) value(entity, dim, text string) *value {
	d := l.dimension(entity, dim)
	if d == nil {
		return nil
	}
	v := d.values[text]
	if v == nil {
		if !l.plain(text) {
			return nil
		}
		if v = d.add(text); v == nil {
			l.stats.RareValues++
			return nil
		}
	}
	return v
}

func (l *ledger) dimension(entity, dim string) *dimension {
	k := name{entity, dim}
	d := l.dimensions[k]
	if d == nil {
		if len(l.dimensions) >= l.limit {
			l.stats.RefusedDimensions++
			return nil
		}
		// The text may be part of a large export; the key must not keep that.
		k = name{strings.Clone(entity), strings.Clone(dim)}
		d = &dimension{entity: k.entity, name: k.dimension, values: make(map[string]*value)}
		l.dimensions[k] = d
	}
	return d
}

// plain reports whether a text may be the value of a state: short, and neither
// an address nor a sentence.
func (l *ledger) plain(text string) bool {
	if text == "" || len(text) > maxText || strings.Contains(text, "://") || strings.Count(text, " ") > 4 {
		l.stats.FreeText++
		return false
	}
	return true
}

// add makes a value, or makes room for the next.
func (d *dimension) add(text string) *value {
	if len(d.values) >= maxValues {
		for t, v := range d.values {
			if v.count--; v.count == 0 || v.count > 1<<31 {
				delete(d.values, t)
			}
		}
		return nil
	}
	v := &value{dimension: d}
	d.values[strings.Clone(text)] = v
	return v
}

// admit counts a value for the current observation and returns its number,
// unless it was counted for it before, or is no condition yet.
func (l *ledger) admit(v *value, text string) (ID, bool) {
	if v.lastUsed == l.stamp {
		return 0, false
	}
	v.lastUsed, v.dimension.lastUsed = l.stamp, l.stamp
	v.count++
	if len(v.dimension.values) > fewValues {
		v.dimension.crowded = 2
	}
	if v.dimension.crowded > 0 && !v.numbered && v.count < heavyCount {
		l.stats.RareValues++
		return 0, false
	}
	if !v.numbered {
		id, ok := l.dictionary.ID(Condition{v.dimension.entity, v.dimension.name, strings.Clone(text)})
		if !ok {
			l.stats.RefusedByDictionary++
			return 0, false
		}
		v.id, v.numbered = id, true
	}
	return v.id, true
}

// met reports whether the current observation has a value of the dimension.
func (l *ledger) met(entity, dim string) bool {
	d := l.dimensions[name{entity, dim}]
	return d != nil && d.lastUsed == l.stamp && l.stamp > 0
}

// age halves all counts once a period, and drops what is left with none. It
// reports whether it did.
func (l *ledger) age(now time.Time) bool {
	if l.aged.IsZero() {
		l.aged = now
	}
	if now.Sub(l.aged) < period {
		return false
	}
	l.aged = now
	for k, d := range l.dimensions {
		for t, v := range d.values {
			if v.count /= 2; v.count == 0 {
				delete(d.values, t)
			}
		}
		d.crowded = max(0, d.crowded-1)
		if len(d.values) == 0 && d.crowded == 0 {
			delete(l.dimensions, k)
		}
	}
	return true
}
