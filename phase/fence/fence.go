// Package fence refuses writes that carry a stale token.
//
// A lease cannot stop whoever held it from writing: a process that is paused,
// or a packet that is late, knows nothing of an expiry. So every write carries
// the token of the lease under which it was made, and the resource refuses one
// that is smaller than the largest it has met. Tokens grow from holder to
// holder; see package phase for where they come from.
//
// That alone leaves a hole: until the new holder's first write arrives, the
// resource has not met the new token, and still takes writes of the old one.
// There are two ways to close it:
//
//   - Seal: the new holder tells the resource its token before it acts
//     (Guard.Seal, or SQL outside of a transaction), and only then announces
//     that it leads.
//   - Transaction: the resource is the store that holds the lease, and the
//     write is conditional on the lease. In etcd that is
//     clientv3.Compare(clientv3.CreateRevision(key), "=", int64(token)) in the
//     If of the transaction that writes, with the lease's key; a resource of this
//     kind needs nothing from this package but the Token.
//
// Looking and writing must be one step, or a newer token slips in between them.
// That is why a Guard runs the write itself, and why SQL belongs into the
// transaction of the write that it protects.
//
// A resource never forgets a subject, since it would then take stale writes
// again. Memory therefore has a bound on how many it can know, and refuses
// further ones. What this package decides is put on the span of the context, as
// eddy.fence.*; it never starts one.
package fence

import (
	"context"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.test/eddy/attr"
)

// A Token numbers the holders of a lease, in order: a later one has the larger
// token. Zero is no token. Tokens fit in an int64, so that databases can hold
// them.
type Token uint64

// ErrStale says that a token is smaller than one that the resource has met: the
// writer no longer holds the lease and must not try again. All such errors are
// a *StaleError.
var ErrStale = errors.New("stale token")

// ErrUnfenced says that a write carries no token, or none that could be one.
var ErrUnfenced = errors.New("no fencing token")

// A StaleError says which token was refused. It is ErrStale to errors.Is.
type StaleError struct {
	Subject string
	Token   Token
	Max     Token // the largest that the resource has met; 0 if it does not tell
}

// Error tells what was refused.
func (e *StaleError) Error() string {
	if e.Max == 0 {
		return fmt.Sprintf("%s: token %d is stale", e.Subject, e.Token)
	}
	return fmt.Sprintf("%s: token %d is stale: %d has been here", e.Subject, e.Token, e.Max)
}

// Is reports whether target is ErrStale.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// A Guard stands before a resource. Implementations are safe for concurrent
// use, and order the writes of one subject.
type Guard interface {
	// Seal makes t the least token that is taken for the subject, and returns
	// when no write with a smaller one is still running. The error is ErrStale
	// if a larger one has been here.
	Seal(ctx context.Context, subject string, t Token) error
	// Do runs write if t is not stale, and keeps larger tokens out until write
	// has returned. The error is ErrStale, or that of write.
	Do(ctx context.Context, subject string, t Token, write func(context.Context) error) error
}

// validate refuses what is no token.
func (t Token) validate() error {
	if t == 0 || t > math.MaxInt64 {
		return fmt.Errorf("%w: %d: want 1 to %d", ErrUnfenced, uint64(t), int64(math.MaxInt64))
	}
	return nil
}

// note puts the decision on the span of ctx, if there is one.
func note(ctx context.Context, subject string, t Token, err error) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	verdict, largest := attr.FenceAccepted, t
	var stale *StaleError
	switch {
	case errors.As(err, &stale):
		verdict, largest = attr.FenceStale, stale.Max
	case errors.Is(err, ErrUnfenced):
		verdict, largest = attr.FenceUnfenced, 0
	case err != nil:
		return // no decision was made
	}
	span.SetAttributes(
		attribute.String(attr.FenceSubject, subject),
		attribute.Int64(attr.FenceToken, int64(min(t, math.MaxInt64))),
		attribute.String(attr.FenceVerdict, verdict))
	if largest != 0 {
		span.SetAttributes(attribute.Int64(attr.FenceMax, int64(largest)))
	}
}
