package mediator

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.test/eddy/phase/wire"
)

// feed tells streams what was committed. Its lock is its own, so that who is told
// does not wait while the next commit is on its way to the state.
type feed struct {
	mu       sync.Mutex
	revision int64
	streams  map[*stream]bool
}

// A stream is one watcher. It holds the latest news of each subject that it has
// not been told yet: whoever is slow misses steps and never the last one, so
// nothing has to be dropped and nobody waits.
type stream struct {
	contract, selector string
	wake               chan struct{}
	changed            map[string]*News
	closed             bool
}

// News is a record on its way to all who watch it.
type News struct {
	Record wire.Record
	// committed is when the commit was done, zero if that was no commit of this
	// moment.
	committed time.Time
	event     []byte // the record as a server-sent event
}

// newNews encodes a record, once for all who are told.
func newNews(r wire.Record) *News {
	data, err := json.Marshal(r)
	if err != nil {
		panic("BUG: record as JSON: " + err.Error()) // it holds nothing that JSON cannot
	}
	var text []byte
	text = append(text, "id: "+strconv.FormatInt(r.Revision, 10)+"\nevent: change\ndata: "...)
	return &News{Record: r, event: append(append(text, data...), "\n\n"...)}
}

// tell passes on what was committed of a subject to the streams that select it.
// What is urgent they send at once, the rest with their next beat. The caller
// holds the mediator's lock, which keeps news in the order of commits.
func (m *Mediator) tell(s *subject, urgent bool) {
	name, _ := splitID(s.record.Contract)
	news := newNews(s.record)
	if urgent {
		news.committed = time.Now()
	}
	f := &m.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision = m.revision
	for st := range f.streams {
		if st.contract != name || !wire.Selects(st.selector, s.record.Key) {
			continue
		}
		st.changed[s.record.Key] = news
		if urgent {
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
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.streams {
		s.closed = true
		s.signal()
	}
}

// open adds a stream, with what it has to be told first.
func (f *feed) open(s *stream, revision int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.streams) >= maxStreams {
		return &wire.Error{Code: wire.CodeTooMany, Message: fmt.Sprintf("%d streams are open, and no more fit", maxStreams)}
	}
	f.streams[s], f.revision = true, revision
	return nil
}

func (f *feed) leave(s *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.streams, s)
}

// take returns what a stream has not been told, sorted by revision.
func (f *feed) take(s *stream) (changed []*News, revision int64, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range s.changed {
		changed = append(changed, n)
	}
	clear(s.changed)
	slices.SortFunc(changed, func(a, b *News) int { return cmp.Compare(a.Record.Revision, b.Record.Revision) })
	return changed, f.revision, s.closed
}

// Watch calls tell with the records of a selector: first with those that have
// changed since the revision from, all of them if it is 0, then with what is
// committed, until ctx ends, tell fails, or this replica is not the mediator any
// more. Every beat it is called with an empty slice if nothing has changed.
//
// News only shortens the way. A belief rests on Confirm.
func (m *Mediator) Watch(ctx context.Context, contractName, selector string, from int64, tell func(revision int64, changed []*News) error) error {
	s, err := m.follow(ctx, contractName, selector, from)
	if err != nil {
		return err
	}
	defer m.feed.leave(s)
	silent := time.NewTicker(beat)
	defer silent.Stop()
	for {
		changed, revision, closed := m.feed.take(s)
		if err := tell(revision, changed); err != nil {
			return err
		}
		m.metrics.told(changed)
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

// follow opens a stream.
func (m *Mediator) follow(ctx context.Context, contractName, selector string, from int64) (*stream, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(contractName)
	if err != nil {
		return nil, err
	}
	s := &stream{contract: contractName, selector: selector, wake: make(chan struct{}, 1), changed: make(map[string]*News)}
	for _, k := range c.selected(selector) {
		if k.record.Revision > from || from > m.revision {
			s.changed[k.record.Key] = newNews(k.record)
		}
	}
	return s, m.feed.open(s, m.revision)
}
