package mediator

import "context"

// A batch lets many callers share one question to the state. Each is answered by
// one that began after it had asked, since an earlier one could have missed what
// the caller must not miss.
type batch[T any] struct {
	do   func(context.Context, []T) error
	most int // how many may share
	ask  chan member[T]
	busy chan struct{} // holds one token: who has it asks
}

// A member is a caller that waits.
type member[T any] struct {
	item   T
	answer chan error
}

func newBatch[T any](most int, do func(context.Context, []T) error) *batch[T] {
	return &batch[T]{do: do, most: most, ask: make(chan member[T]), busy: make(chan struct{}, 1)}
}

// join returns what a call of do says that began after join was called, and had
// the item.
func (b *batch[T]) join(ctx context.Context, item T) error {
	me := member[T]{item, make(chan error, 1)}
	for {
		select {
		case b.ask <- me: // somebody is about to ask, and takes us along
			select {
			case err := <-me.answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		case b.busy <- struct{}{}:
			err := b.lead(ctx, item)
			<-b.busy
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lead gathers who is waiting at the moment, asks, and tells them.
func (b *batch[T]) lead(ctx context.Context, item T) error {
	items := []T{item}
	var others []member[T]
	for len(items) < b.most {
		select {
		case other := <-b.ask:
			items = append(items, other.item)
			others = append(others, other)
			continue
		default:
		}
		break
	}
	// The others must not fail because this one's caller left.
	err := b.do(context.WithoutCancel(ctx), items)
	for _, other := range others {
		other.answer <- err
	}
	return err
}
