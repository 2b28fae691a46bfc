package app

import (
	"iter"
	"slices"
	"time"

	"example.test/eddy/internal/ingest"
)

// A record is a batch of a file and its place in the order of time.
type record struct {
	ingest.Received
	// from and to are between when its telemetry was, as far as it can be
	// believed: one emitter whose clock is wrong does not move the replay's.
	from, to time.Time
}

// moves reports whether a record moves the clock. Changes do not: a file of
// them may reach over weeks.
func (r record) moves() bool { return r.Len() > len(r.Changes) }

// astray is how far a time must be from those around it to be doubted.
const astray = time.Hour

// place says when the telemetry of a batch was. If it is of times that are far
// apart, that is when most of it was.
func place(b ingest.Received) record {
	r := record{b, b.First, b.Last}
	if !r.moves() || b.Last.Sub(b.First) <= astray {
		return r
	}
	var times []time.Time
	for _, s := range b.Spans {
		times = append(times, s.End)
	}
	for _, l := range b.Logs {
		times = append(times, l.Time)
	}
	for _, p := range b.Points {
		times = append(times, p.Time)
	}
	slices.SortFunc(times, time.Time.Compare)
	r.from = times[len(times)/2]
	r.to = r.from
	return r
}

// A source is a file that is being read, one record ahead: a record that jumps
// ahead is only believed if the next one does not jump back.
type source struct {
	head  record
	read  func() (ingest.Received, error, bool)
	ahead *record // nil at the end
	err   error   // after ahead
}

// peek reads one record ahead.
func (s *source) peek() {
	s.ahead = nil
	if b, err, ok := s.read(); ok {
		s.err = err
		if err == nil {
			r := place(b)
			s.ahead = &r
		}
	}
}

// advance moves on to the next record, and reports whether there is one.
func (s *source) advance() (bool, error) {
	if s.ahead == nil {
		return false, s.err
	}
	before := s.head.to
	s.head = *s.ahead
	s.peek()
	if next := s.ahead; next != nil && next.moves() && s.head.moves() && !before.IsZero() &&
		s.head.from.Sub(before) > astray && s.head.from.Sub(next.from) > astray {
		s.head.from, s.head.to = before, before
	}
	return true, nil
}

// records merges the files by time. Each file is read in its own order.
func (r Replay) records() iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		reader, err := ingest.NewReader(r.Ingest, nil)
		if err != nil {
			yield(record{}, err)
			return
		}
		reader.Progress = r.Progress
		var open []*source
		for _, path := range r.Files {
			read, stop := iter.Pull2(reader.File(path))
			defer stop()
			s := &source{read: read}
			s.peek()
			open = append(open, s)
		}
		for _, s := range slices.Clone(open) {
			if open, err = advance(open, s); err != nil {
				yield(record{}, err)
				return
			}
		}
		for len(open) > 0 {
			first := slices.MinFunc(open, func(a, b *source) int { return a.head.from.Compare(b.head.from) })
			if !yield(first.head, nil) {
				return
			}
			if open, err = advance(open, first); err != nil {
				yield(record{}, err)
				return
			}
		}
	}
}

// advance moves s on, and drops it from the open sources at its end.
func advance(open []*source, s *source) ([]*source, error) {
	more, err := s.advance()
	if err == nil && !more {
		open = slices.DeleteFunc(open, func(x *source) bool { return x == s })
	}
	return open, err
}
