package condition

import "sync"

// A Dictionary numbers conditions, so that observations hold small integers.
// It is bounded: when it holds Limit conditions, new ones are refused, counted
// by Refused, and left out of observations. It is safe for concurrent use.
type Dictionary struct {
	mu      sync.RWMutex
	ids     map[Condition]ID
	list    []Condition
	limit   int
	refused uint64
}

// NewDictionary returns an empty dictionary that holds at most limit
// conditions; a limit of 0 means 1,000,000.
func NewDictionary(limit int) *Dictionary {
	if limit <= 0 {
		limit = 1_000_000
	}
	return &Dictionary{ids: make(map[Condition]ID), limit: limit}
}

// ID returns the number of c, giving it the next one if it has none. It
// reports false when the dictionary is full.
func (d *Dictionary) ID(c Condition) (ID, bool) {
	d.mu.RLock()
	id, ok := d.ids[c]
	d.mu.RUnlock()
	if ok {
		return id, true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if id, ok := d.ids[c]; ok {
		return id, true
	}
	if len(d.list) >= d.limit {
		d.refused++
		return 0, false
	}
	id = ID(len(d.list))
	d.ids[c] = id
	d.list = append(d.list, c)
	return id, true
}

// Condition returns the condition that id stands for. It panics if id was not
// given out by this dictionary.
func (d *Dictionary) Condition(id ID) Condition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.list[id]
}

// All returns the conditions by their numbers. The caller must not change the
// slice; it does not grow with later conditions.
func (d *Dictionary) All() []Condition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.list[:len(d.list):len(d.list)]
}

// Refused is how many times a condition was left out because the dictionary
// was full.
func (d *Dictionary) Refused() uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.refused
}
