package mediator

import (
	"context"
	"fmt"
	"time"

	"example.test/eddy/phase/wire"
)

// feed tells streams what was committed.
type feed struct {
	streams map[*stream]bool
}

// A stream is one watcher. It holds the latest record of each subject that it
// has not been told yet: whoever is slow misses steps and never the last one, so
// nothing has to be dropped and nobody waits.
type stream struct {
	contract, selector string
	wake               chan struct{}
	changed            map[string]wire.Record
	closed             bool
}

// tell passes a record on to the streams that select it. The caller holds the
// lock.
func (m *Mediator) tell(s *subject) {
	name, _ := splitID(s.record.Contract)
	for st := range m.feed.streams {
		if st.contract == name && wire.Selects(st.selector, s.record.Key) {
			st.changed[s.record.Key] = s.record
			st.signal()
		}
	}
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default: // it has been told and will look
	}
}

// close ends all streams: what they would be told is another replica's to tell.
func (f *feed) close() {
	for s := range f.streams {
		s.closed = true
		s.signal()
	}
}

// Watch calls tell with the records of a selector: first with those that have
// changed since the revision from, all of them if it is 0, then with what is
// committed, until ctx ends, tell fails, or this replica is not the mediator any
// more. Every beat it is called with an empty slice if nothing has changed.
//
// News only shortens the way. A belief rests on Confirm.
func (m *Mediator) Watch(ctx context.Context, contractName, selector string, from int64, tell func(revision int64, changed []wire.Record) error) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	c, err := m.contract(contractName)
	if err == nil && len(m.feed.streams) >= maxStreams {
		err = &wire.Error{Code: wire.CodeTooMany, Message: fmt.Sprintf("%d streams are open, and no more fit", maxStreams)}
	}
	if err != nil {
		m.mu.Unlock()
		return err
	}
	s := &stream{contract: contractName, selector: selector, wake: make(chan struct{}, 1), changed: make(map[string]wire.Record)}
	m.feed.streams[s] = true
	for _, k := range c.selected(selector) {
		if k.record.Revision > from || from > m.revision {
			s.changed[k.record.Key] = k.record
		}
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.feed.streams, s)
	}()
	silent := time.NewTicker(beat)
	defer silent.Stop()
	for {
		changed, revision, closed := m.take(s)
		if err := tell(revision, changed); err != nil {
			return err
		}
		if closed {
			return &wire.Error{Code: wire.CodeNotActive, Message: "this replica is not the mediator any more"}
		}
		select {
		case <-s.wake:
		case <-silent.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// take returns what a stream has not been told, sorted by revision.
func (m *Mediator) take(s *stream) (changed []wire.Record, revision int64, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range s.changed {
		changed = append(changed, r)
	}
	clear(s.changed)
	sortRecords(changed)
	return changed, m.revision, s.closed
}
