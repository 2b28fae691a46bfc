package kubernetes

import (
	"slices"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"example.test/eddy/internal/telemetry"
)

// A slice is what is kept of an EndpointSlice: whose it is, and what its endpoints
// are called.
type slice struct {
	service   string
	endpoints map[podKey]pod
}

func (w *Watcher) sliceResource() resource {
	return resource{
		group: discoveryv1.GroupName, name: endpointSlices, example: &discoveryv1.EndpointSlice{}, strip: stripSlice,
		set: func(object any, first bool) {
			if s, ok := object.(*discoveryv1.EndpointSlice); ok {
				w.setSlice(s, first, time.Now())
			}
		},
		gone: func(object any) {
			if s, ok := object.(*discoveryv1.EndpointSlice); ok {
				empty := &discoveryv1.EndpointSlice{ObjectMeta: s.ObjectMeta}
				w.setSlice(empty, false, time.Now())
			}
		},
	}
}

func stripSlice(object any) (any, error) {
	s, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return object, nil
	}
	kept := &discoveryv1.EndpointSlice{ObjectMeta: stripMeta(s.ObjectMeta, nil)}
	for _, e := range s.Endpoints {
		kept.Endpoints = append(kept.Endpoints, discoveryv1.Endpoint{Conditions: e.Conditions, TargetRef: e.TargetRef})
	}
	return kept, nil
}

// endpointValue is what the conditions of an endpoint amount to. The API says what a
// missing one means.
func endpointValue(c discoveryv1.EndpointConditions) string {
	ready, serving, terminating := c.Ready == nil || *c.Ready, c.Serving == nil || *c.Serving, c.Terminating != nil && *c.Terminating
	switch {
	case terminating && serving:
		return telemetry.EndpointServing
	case terminating:
		return telemetry.EndpointTerminating
	case ready:
		return telemetry.EndpointReady
	}
	return telemetry.EndpointNotReady
}

// setSlice takes an EndpointSlice in. Endpoints without a pod are somebody else's. Of
// an endpoint whose pod is not known yet it is not known either what it is called, so
// it waits for the pod, which is on its way.
func (w *Watcher) setSlice(s *discoveryv1.EndpointSlice, first bool, now time.Time) {
	key := objectKey{s.Namespace, s.Name}
	service := s.Labels[discoveryv1.LabelServiceName]
	if service == "" {
		return
	}
	dimension := telemetry.DimensionEndpoint + service
	w.mu.Lock()
	defer w.mu.Unlock()
	before, after := w.slices[key].endpoints, make(map[podKey]pod)
	for _, e := range s.Endpoints {
		if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
			continue
		}
		k := podKey{s.Namespace, e.TargetRef.Name, e.TargetRef.UID}
		p, known := before[k]
		if !known {
			p, known = w.pods[k]
		}
		if !known {
			if len(w.waiting) < maxStates && !slices.Contains(w.waiting[k], key) {
				w.waiting[k] = append(w.waiting[k], key)
			}
			continue
		}
		after[k] = p
		value := endpointValue(e.Conditions)
		st := state{p.service, p.instance, dimension}
		if first && value == telemetry.EndpointReady {
			w.changes.silently(st, value)
			continue
		}
		w.changes.put(st, telemetry.Change{
			Time: now, Kind: telemetry.ChangePhase, Value: value,
			Summary: "pod " + k.String() + " behind Service " + service + ": " + value,
		})
	}
	for k, p := range before {
		if _, still := after[k]; !still && !w.elsewhere(service, key, k) {
			w.changes.end(state{p.service, p.instance, dimension}, telemetry.Change{
				Time: now, Kind: telemetry.ChangePhase, Summary: "pod " + k.String() + " is no endpoint of Service " + service + " any more",
			})
		}
	}
	if len(after) == 0 {
		delete(w.slices, key)
		return
	}
	w.slices[key] = slice{service, after}
}

// elsewhere reports whether a pod is in another slice: one family of addresses has its
// own slices, and endpoints move between slices. The caller holds the lock.
func (w *Watcher) elsewhere(service string, not objectKey, k podKey) bool {
	for key, s := range w.slices {
		if _, in := s.endpoints[k]; in && s.service == service && key != not {
			return true
		}
	}
	return false
}

// lookAgain takes a slice in one of whose pods has become known.
func (w *Watcher) lookAgain(key objectKey, now time.Time) {
	if s := w.stored(key); s != nil {
		w.setSlice(s, false, now)
	}
}

// stored returns a slice as it was watched last, nil if it is gone.
func (w *Watcher) stored(key objectKey) *discoveryv1.EndpointSlice {
	w.mu.Lock()
	store := w.stores[key.namespace]
	if store == nil {
		store = w.stores[""]
	}
	w.mu.Unlock()
	if store == nil {
		return nil
	}
	object, _, err := store.GetByKey(cache.ObjectName{Namespace: key.namespace, Name: key.name}.String())
	if err != nil {
		return nil // the store is a map, and fails never
	}
	s, _ := object.(*discoveryv1.EndpointSlice)
	return s
}
