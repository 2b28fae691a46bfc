package store

// A shelf holds rows in the order in which they were first stored, each under
// a key of its own, and at most limit of them.
type shelf[K comparable, V any] struct {
	limit int
	rows  []row[K, V]
	at    map[K]int // into rows
}

type row[K comparable, V any] struct {
	key   K
	value V
}

// get returns the value under key.
func (s *shelf[K, V]) get(key K) (V, bool) {
	i, ok := s.at[key]
	if !ok {
		var none V
		return none, false
	}
	return s.rows[i].value, true
}

// add stores value unless the key is taken.
func (s *shelf[K, V]) add(key K, value V) {
	if _, ok := s.at[key]; ok {
		return
	}
	if s.at == nil {
		s.at = make(map[K]int)
	}
	if len(s.rows) >= s.limit {
		// An eighth at once, so that the cost of moving the rest is spread over
		// many rows.
		spare := len(s.rows) - s.limit + s.limit/8 + 1
		s.drop(func(V) bool { spare--; return spare >= 0 })
	}
	s.at[key] = len(s.rows)
	s.rows = append(s.rows, row[K, V]{key, value})
}

// set stores value, in the place of what was there under key.
func (s *shelf[K, V]) set(key K, value V) {
	if i, ok := s.at[key]; ok {
		s.rows[i].value = value
		return
	}
	s.add(key, value)
}

// values returns all values, the first stored first.
func (s *shelf[K, V]) values() []V {
	return s.matching(func(V) bool { return true })
}

// matching returns the values for which is holds, the first stored first.
func (s *shelf[K, V]) matching(is func(V) bool) []V {
	var list []V
	for i := range s.rows {
		if is(s.rows[i].value) {
			list = append(list, s.rows[i].value)
		}
	}
	return list
}

// drop deletes the values for which gone holds and returns how many they were.
// It asks of each value once, the first stored first.
func (s *shelf[K, V]) drop(gone func(V) bool) int64 {
	kept := s.rows[:0]
	for _, r := range s.rows {
		if gone(r.value) {
			delete(s.at, r.key)
			continue
		}
		s.at[r.key] = len(kept)
		kept = append(kept, r)
	}
	count := len(s.rows) - len(kept)
	clear(s.rows[len(kept):])
	s.rows = kept
	return int64(count)
}
