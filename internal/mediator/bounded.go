package mediator

import (
	"context"
	"time"
)

// stateTime bounds one question to the state. Without a quorum it does not
// answer, and whoever asks holds up all others.
const stateTime = 3 * time.Second

// bounded is a State whose questions end.
type bounded struct{ State }

func (b bounded) Get(ctx context.Context, key string) (Value, int64, error) {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.Get(ctx, key)
}

func (b bounded) List(ctx context.Context, prefix string) ([]Value, int64, error) {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.List(ctx, prefix)
}

func (b bounded) Commit(ctx context.Context, ifs []Condition, puts []Put, deletes ...string) (int64, bool, error) {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.Commit(ctx, ifs, puts, deletes...)
}

func (b bounded) Grant(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.Grant(ctx, ttl)
}

func (b bounded) Renew(ctx context.Context, id LeaseID) error {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.Renew(ctx, id)
}

func (b bounded) Revoke(ctx context.Context, id LeaseID) error {
	ctx, stop := context.WithTimeout(ctx, stateTime)
	defer stop()
	return b.State.Revoke(ctx, id)
}
