package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrFull says that a Memory knows as many subjects as it may.
var ErrFull = errors.New("fence is full")

// DefaultSubjects is how many subjects a Memory knows unless told otherwise.
const DefaultSubjects = 1 << 16

// Memory is a Guard for a resource that lives and dies with this process, such
// as a cache or a connection. Writes of one subject run one after the other.
// The zero value is ready.
type Memory struct {
	// Subjects bounds how many subjects are known; 0 means DefaultSubjects. One
	// more is refused with ErrFull.
	Subjects int

	mu   sync.Mutex
	rows map[string]*row
}

// A row is one subject. Whoever takes the only value out of turn may look at
// largest and write.
type row struct {
	turn    chan struct{}
	largest Token
}

// Seal implements Guard.
func (m *Memory) Seal(ctx context.Context, subject string, t Token) error {
	return m.Do(ctx, subject, t, func(context.Context) error { return nil })
}

// Do implements Guard. It waits for its turn until ctx ends.
func (m *Memory) Do(ctx context.Context, subject string, t Token, write func(context.Context) error) error {
	if err := t.validate(); err != nil {
		note(ctx, subject, t, err)
		return err
	}
	r, err := m.row(subject)
	if err != nil {
		return err
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { r.turn <- struct{}{} }()
	if t < r.largest {
		err := &StaleError{Subject: subject, Token: t, Max: r.largest}
		note(ctx, subject, t, err)
		return err
	}
	r.largest = t
	note(ctx, subject, t, nil)
	return write(ctx)
}

// row returns the subject's row, a new one if it must.
func (m *Memory) row(subject string) (*row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rows[subject]; r != nil {
		return r, nil
	}
	limit := m.Subjects
	if limit == 0 {
		limit = DefaultSubjects
	}
	if len(m.rows) >= limit {
		return nil, fmt.Errorf("%w: %d subjects are known, and forgetting one would let stale writes in", ErrFull, limit)
	}
	if m.rows == nil {
		m.rows = make(map[string]*row)
	}
	r := &row{turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	m.rows[subject] = r
	return r, nil
}
