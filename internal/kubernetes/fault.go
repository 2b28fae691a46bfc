package kubernetes

import (
	"cmp"
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A fault is what is the matter with a watch.
type fault struct {
	refused time.Time // since when it is refused
	last    time.Time // when it was refused last
	logged  time.Time
}

const (
	// quiet is how long the same is not logged again.
	quiet = time.Minute
	// settling is how long a refusal may be of an API server that was started anew and
	// does not know its roles yet.
	settling = 2 * time.Second
)

// broken tells that a watch ended with an error. It will be opened again.
func (w *Watcher) broken(ctx context.Context, r resource, namespace string, err error) {
	if ctx.Err() != nil {
		return
	}
	w.metrics.watchErrors.WithLabelValues(r.name).Inc()
	denied := apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)
	if !w.faulty(r.name+"/"+namespace, denied, time.Now()) {
		return
	}
	if denied {
		w.config.Log.ErrorContext(ctx, "kubernetes refuses a watch; until it does not, changes there are not seen", "error", deniedError(err))
		return
	}
	w.config.Log.WarnContext(ctx, "a watch of kubernetes broke; it is opened again", "resource", r.name, "namespace", cmp.Or(namespace, "all"), "error", err)
}

// faulty notes a fault, and reports whether it should be logged.
func (w *Watcher) faulty(key string, denied bool, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.faults[key]
	defer func() { w.faults[key] = f }()
	if denied {
		if now.Sub(f.last) > quiet {
			f.refused = now
		}
		f.last = now
		if now.Sub(f.refused) < settling {
			return false
		}
	}
	if now.Sub(f.logged) < quiet {
		return false
	}
	f.logged = now
	return true
}
