// Package kubernetes turns what a cluster does into changes, and phases into
// readiness.
//
// A Watcher follows pods, EndpointSlices, Deployments and Leases, and reports what
// changes of them: how a Service sees each pod behind it, that a pod is being
// deleted, which image a Deployment rolls out, who holds a Lease. Names are those
// that the services' telemetry has. What was in order when the watcher began is not
// reported, and what was not is.
//
// A pod with the readiness gate GateCondition is ready only while the phase that was
// announced for it allows new work. The watcher sets that condition of the pod, and
// nothing else in the cluster: it starts, stops and deletes nothing. While this
// process is not the mediator, conditions stay as they are.
//
// Lists and watches are client-go's: they are opened again with growing pauses when
// they break, and every resync period all objects are looked at again. Bounds:
// maxStates states are followed, and queueSize changes wait to be taken; what does not
// fit is counted, and reported at the next resync if it still holds. Gates wait in a
// queue that has each pod once, and pods that cannot be written are tried again after
// 100 ms, 200 ms and so on up to 30 s.
package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"example.test/eddy/internal/telemetry"
)

const (
	resync    = 5 * time.Minute
	maxStates = 100_000
	queueSize = 4096
	askTime   = 5 * time.Second
	firstTry  = 100 * time.Millisecond
	lastTry   = 30 * time.Second
	lastSend  = 5 * time.Second
)

// ErrInvalid says that a change will not be taken however often it is sent.
var ErrInvalid = errors.New("change is not valid")

// Config is what a Watcher needs. Report is required.
type Config struct {
	// Kubeconfig is a file that says which cluster, and as whom. Without one, it is
	// the cluster that the process runs in, as the ServiceAccount of its pod.
	Kubeconfig string
	// Namespaces are watched; none means all.
	Namespaces []string
	// Report takes a change in. An error means that it should be sent again, unless it
	// is ErrInvalid.
	Report func(*telemetry.Change) error
	// Phases is the mediator; nil means that gates are not for this process to set.
	Phases Phases
	// Log gets what went wrong; default slog.Default.
	Log *slog.Logger
	// Registerer gets the watcher's figures; nil means none.
	Registerer prometheus.Registerer
}

// A Watcher follows one cluster.
type Watcher struct {
	config  Config
	client  *client
	metrics *metrics
	changes *reporter
	gate    *gate // nil if there are no Phases

	mu      sync.Mutex
	pods    map[podKey]pod
	waiting map[podKey][]objectKey // slices in one of whose endpoints the pod is not known yet
	slices  map[objectKey]slice
	rollout map[objectKey]deployment
	leases  map[objectKey]lease
	stores  map[string]cache.Store // of EndpointSlices, by namespace
	faults  map[string]fault       // by resource and namespace
}

// New returns a watcher of the cluster that the configuration names. It asks the
// cluster nothing yet.
func New(c Config) (*Watcher, error) {
	if c.Report == nil {
		return nil, errors.New("kubernetes: no Report is given")
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	if len(c.Namespaces) == 0 {
		c.Namespaces = []string{""}
	}
	client, err := newClient(c.Kubeconfig)
	if err != nil {
		return nil, err
	}
	w := &Watcher{
		config: c, client: client,
		pods: make(map[podKey]pod), waiting: make(map[podKey][]objectKey), slices: make(map[objectKey]slice),
		rollout: make(map[objectKey]deployment), leases: make(map[objectKey]lease),
		stores: make(map[string]cache.Store), faults: make(map[string]fault),
	}
	if w.metrics, err = newMetrics(c.Registerer); err != nil {
		return nil, err
	}
	w.changes = newReporter(c.Report, c.Log, w.metrics)
	if c.Phases != nil {
		w.gate = newGate(c.Phases, client, c.Log, w.metrics)
	}
	return w, nil
}

// Run watches until ctx ends, and returns nil then. Nothing that the cluster does
// ends it before: what is refused is logged and tried again.
func (w *Watcher) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(w.config.Log.Handler()))
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { w.changes.run(ctx) })
	if w.gate != nil {
		running.Go(func() { w.gate.run(ctx) })
	}
	// Pods come first: they say what the other objects are called in telemetry.
	var synced []cache.InformerSynced
	begin := func(resources ...resource) bool {
		for _, namespace := range w.config.Namespaces {
			for _, r := range resources {
				informer, err := w.informer(r, namespace)
				if err != nil {
					w.config.Log.ErrorContext(ctx, "BUG: kubernetes is not watched", "resource", r.name, "error", err)
					continue
				}
				synced = append(synced, informer.HasSynced)
				running.Go(func() { informer.RunWithContext(ctx) })
			}
		}
		return cache.WaitForCacheSync(ctx.Done(), synced...)
	}
	if !begin(w.podResource()) || !begin(w.sliceResource(), w.deploymentResource(), w.leaseResource()) {
		return nil
	}
	w.config.Log.InfoContext(ctx, "kubernetes is watched", "server", w.client.host, "namespaces", w.config.Namespaces)
	w.expire(ctx)
	return nil
}

// A resource is one kind of object that is watched.
type resource struct {
	group, name string
	example     any
	strip       func(any) (any, error)
	// set takes an object in; first says that it was there when the watcher began.
	set  func(object any, first bool)
	gone func(object any)
}

// informer watches a resource in a namespace.
func (w *Watcher) informer(r resource, namespace string) (cache.SharedIndexInformer, error) {
	example, err := asObject(r.example)
	if err != nil {
		return nil, err
	}
	informer := cache.NewSharedIndexInformer(w.client.listWatch(r, namespace), example, resync, cache.Indexers{})
	_, handlerErr := informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(object any, first bool) { r.set(object, first) },
		UpdateFunc: func(_, object any) { r.set(object, false) },
		DeleteFunc: func(object any) {
			if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = last.Obj
			}
			r.gone(object)
		},
	})
	if r.name == endpointSlices {
		w.mu.Lock()
		w.stores[namespace] = informer.GetStore()
		w.mu.Unlock()
	}
	return informer, errors.Join(handlerErr,
		informer.SetTransform(r.strip),
		informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
			w.broken(ctx, r, namespace, err)
		}))
}
