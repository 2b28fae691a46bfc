package kubernetes

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"example.test/eddy/internal/telemetry"
)

const (
	// nodeLeases is the namespace in which every node renews a lease of its own, to
	// say that it lives.
	nodeLeases = "kube-node-lease"
	// expireEvery is how often leases are looked at that nobody renews any more.
	expireEvery = time.Second
	// defaultLease is how long a lease lasts that does not say.
	defaultLease = 15 * time.Second
)

// A lease is what is kept of one that is held.
type lease struct {
	holder   string
	renewed  time.Time // by the holder's clock
	seen     time.Time // when that was seen, by ours
	duration time.Duration
}

func (w *Watcher) leaseResource() resource {
	return resource{
		group: coordinationv1.GroupName, name: leases, example: &coordinationv1.Lease{}, strip: stripLease,
		set: func(object any, first bool) {
			if l, ok := object.(*coordinationv1.Lease); ok {
				w.setLease(l, first, time.Now())
			}
		},
		gone: func(object any) {
			if l, ok := object.(*coordinationv1.Lease); ok {
				w.leaseEnds(objectKey{l.Namespace, l.Name}, time.Now(), "is deleted")
			}
		},
	}
}

func stripLease(object any) (any, error) {
	l, ok := object.(*coordinationv1.Lease)
	if !ok {
		return object, nil
	}
	return &coordinationv1.Lease{ObjectMeta: stripMeta(l.ObjectMeta, nil), Spec: l.Spec}, nil
}

// setLease takes a Lease in. Whether it has ended is judged by when its renewal was
// seen here, as candidates for it judge: clocks need not agree.
func (w *Watcher) setLease(l *coordinationv1.Lease, first bool, now time.Time) {
	if l.Namespace == nodeLeases {
		return
	}
	key := objectKey{l.Namespace, l.Name}
	if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" {
		if r := l.Spec.RenewTime; first && r != nil && now.Sub(r.Time) < lately {
			// A process before this one may have seen it held.
			w.changes.event(leaseState(key), telemetry.Change{Time: r.Time, Kind: telemetry.ChangePhase, Ends: true, Summary: leaseName(key) + " was given up"})
		}
		w.leaseEnds(key, now, "was given up")
		return
	}
	next := lease{holder: *l.Spec.HolderIdentity, seen: now, duration: defaultLease}
	if l.Spec.LeaseDurationSeconds != nil {
		next.duration = time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
	}
	since := now
	if a := l.Spec.AcquireTime; a != nil && a.Time.Before(now) {
		since = a.Time // by the clock of the holder, which may be ahead
	}
	if l.Spec.RenewTime != nil {
		next.renewed = l.Spec.RenewTime.Time
	}
	w.mu.Lock()
	before, held := w.leases[key]
	switch {
	case held && before.holder == next.holder && before.renewed.Equal(next.renewed):
		next.seen = before.seen // a resync, or a label
	case !held && len(w.leases) >= maxStates:
		w.mu.Unlock()
		w.metrics.dropped.Inc()
		return
	}
	w.leases[key] = next
	w.mu.Unlock()
	w.changes.put(leaseState(key), telemetry.Change{
		Time: since, Kind: telemetry.ChangePhase, Value: next.holder,
		Summary: leaseName(key) + " is held by " + next.holder,
	})
}

func leaseName(k objectKey) string { return "Lease " + k.namespace + "/" + k.name }

func leaseState(k objectKey) state { return state{k.name, "", telemetry.DimensionLease} }

// leaseEnds reports that nobody holds a lease.
func (w *Watcher) leaseEnds(k objectKey, at time.Time, why string) {
	w.mu.Lock()
	delete(w.leases, k)
	w.mu.Unlock()
	w.changes.end(leaseState(k), telemetry.Change{
		Time: at, Kind: telemetry.ChangePhase, Summary: leaseName(k) + " " + why,
	})
}

// expire ends leases that are renewed no more, until ctx ends, and pays what the
// queue had no room for.
func (w *Watcher) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			w.expireAt(now)
			w.changes.settle()
		}
	}
}

func (w *Watcher) expireAt(now time.Time) {
	ended := make(map[objectKey]time.Time)
	w.mu.Lock()
	for k, l := range w.leases {
		if end := l.seen.Add(l.duration); now.After(end) {
			ended[k] = end
		}
	}
	w.mu.Unlock()
	for k, end := range ended {
		w.leaseEnds(k, end, "was not renewed")
	}
}
