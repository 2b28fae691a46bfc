package mediator

import "context"

// fresh lets many callers share one look at the state. Each is answered by one
// that began after it had asked, since an earlier look could have missed a
// commit that the caller must not miss.
type fresh struct {
	look func(context.Context) error
	ask  chan chan error
	busy chan struct{} // holds one token: who has it looks
}

func newFresh(look func(context.Context) error) *fresh {
	return &fresh{look: look, ask: make(chan chan error), busy: make(chan struct{}, 1)}
}

// wait returns what a look says that began after wait was called.
func (f *fresh) wait(ctx context.Context) error {
	answer := make(chan error, 1)
	for {
		select {
		case f.ask <- answer: // somebody is about to look, and takes us along
			select {
			case err := <-answer:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		case f.busy <- struct{}{}:
			err := f.lead(ctx)
			<-f.busy
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lead gathers who is waiting at the moment, looks, and tells them.
func (f *fresh) lead(ctx context.Context) error {
	var others []chan error
	for {
		select {
		case other := <-f.ask:
			others = append(others, other)
			continue
		default:
		}
		break
	}
	// The others must not fail because this one's caller left.
	err := f.look(context.WithoutCancel(ctx))
	for _, other := range others {
		other <- err
	}
	return err
}
