package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/telemetry"
)

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

// newPod is a pod of Deployment checkout.
func newPod(name string) *corev1.Pod {
	controls := true
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"pod-template-hash": "7f"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "checkout-7f", Controller: &controls}},
		},
	}
}

// deleted is a pod whose deletion was asked for at a time.
func deleted(p *corev1.Pod, at time.Time) *corev1.Pod {
	p = p.DeepCopy()
	grace := int64(30)
	end := metav1.NewTime(at.Add(30 * time.Second))
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &end, &grace
	return p
}

// endpoint is a pod in a slice, with its conditions: r, s, t for ready, serving,
// terminating.
func endpoint(p *corev1.Pod, conditions string) discoveryv1.Endpoint {
	is := func(c string) *bool { b := strings.Contains(conditions, c); return &b }
	return discoveryv1.Endpoint{
		Addresses: []string{"10.1.1.1"}, Conditions: discoveryv1.EndpointConditions{Ready: is("r"), Serving: is("s"), Terminating: is("t")},
		TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
	}
}

func newSlice(name, service string, endpoints ...discoveryv1.Endpoint) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: endpoints,
	}
}

func TestAPodThatIsReplacedBecomesChanges(t *testing.T) {
	c := newCluster(t)
	first, second := newPod("checkout-7f-a"), newPod("checkout-7f-b")
	c.put("pods", first)
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(first, "rs")))
	w := begin(t, c, kubernetes.Config{}) // what is in order is not told

	c.put("endpointslices", newSlice("s1", "checkout", endpoint(first, "rs"), endpoint(second, "")))
	c.put("pods", second) // the slice was there before the pod
	w.expect(t, "phase checkout/checkout-7f-b: endpoint checkout=not ready")
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(first, "rs"), endpoint(second, "rs")))
	w.expect(t, "phase checkout/checkout-7f-b: endpoint checkout=ready")

	asked := time.Now().Add(-2 * time.Second).Truncate(time.Second)
	c.put("pods", deleted(first, asked))
	if got := w.expect(t, "phase checkout/checkout-7f-a: pod=terminating"); !got[0].Time.Equal(asked) {
		t.Errorf("the deletion was asked for at %s, want %s", got[0].Time, asked)
	}
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(first, "st"), endpoint(second, "rs")))
	got := w.expect(t, "phase checkout/checkout-7f-a: endpoint checkout=terminating, serving")
	if got[0].Previous != telemetry.EndpointReady || got[0].Source != "kubernetes" {
		t.Errorf("change %+v: want the state before, and who says so", got[0])
	}
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(first, "t"), endpoint(second, "rs")))
	w.expect(t, "phase checkout/checkout-7f-a: endpoint checkout=terminating")
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(second, "rs")))
	w.expect(t, "phase checkout/checkout-7f-a: endpoint checkout ends")
	c.drop("pods", first)
	w.expect(t, "phase checkout/checkout-7f-a: pod ends")
	c.drop("endpointslices", newSlice("s1", "checkout"))
	w.expect(t, "phase checkout/checkout-7f-b: endpoint checkout ends")
}

func TestWhatIsAmissAtTheStartIsTold(t *testing.T) {
	c := newCluster(t)
	p := newPod("checkout-7f-a")
	p.Annotations = map[string]string{"resource.opentelemetry.io/service.name": "till", "resource.opentelemetry.io/service.instance.id": "till-1"}
	c.put("pods", p)
	// Two services, and two families of addresses of one of them.
	c.put("endpointslices", newSlice("s4", "checkout", endpoint(p, "")))
	c.put("endpointslices", newSlice("s6", "checkout", endpoint(p, "")))
	c.put("endpointslices", newSlice("h", "checkout-headless", endpoint(p, "")))
	w := begin(t, c, kubernetes.Config{})
	w.expect(t, "phase till/till-1: endpoint checkout=not ready", "phase till/till-1: endpoint checkout-headless=not ready")
	c.drop("endpointslices", newSlice("s6", "checkout"))
	c.put("endpointslices", newSlice("s4", "checkout", endpoint(p, "rs")))
	w.expect(t, "phase till/till-1: endpoint checkout=ready") // and it has not ended
}

func newDeployment(image, revision string, generation int64, status appsv1.DeploymentStatus) *appsv1.Deployment {
	replicas := int32(2)
	d := &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "checkout", Generation: generation, Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
		},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas}, Status: status,
	}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: image}}
	return d
}

func TestARolloutBecomesChanges(t *testing.T) {
	c := newCluster(t)
	all := appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
	c.put("deployments", newDeployment("shop/checkout:1", "1", 1, all))
	w := begin(t, c, kubernetes.Config{})
	c.put("deployments", newDeployment("shop/checkout:2", "1", 2, all))
	w.expect(t, "deploy checkout: image app=shop/checkout:2")
	c.put("deployments", newDeployment("shop/checkout:2", "2", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 1, AvailableReplicas: 2}))
	w.expect(t, "config checkout: pod template=revision 2", "deploy checkout: rollout=in progress")
	// All are of the new template and one is not available yet: it is still rolling.
	c.put("deployments", newDeployment("shop/checkout:2", "2", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1}))
	done := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
	c.put("deployments", newDeployment("shop/checkout:2", "2", 2, done))
	w.expect(t, "deploy checkout: rollout ends")
	// That a pod is not available later is no rollout, and neither is another scale.
	down := newDeployment("shop/checkout:2", "2", 3, appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1})
	*down.Spec.Replicas = 5
	c.put("deployments", down)
	w.expect(t, "scale checkout: replicas=5")
	c.put("deployments", newDeployment("shop/checkout:2", "3", 4, done))
	w.expect(t, "config checkout: pod template=revision 3", "scale checkout: replicas=2", "deploy checkout: rollout=in progress")
	c.drop("deployments", newDeployment("shop/checkout:2", "3", 4, done))
	w.expect(t, "deploy checkout: rollout ends")
}

func newLease(holder string, acquired, renewed time.Time) *coordinationv1.Lease {
	seconds, transitions := int32(1), int32(1)
	a, r := metav1.NewMicroTime(acquired), metav1.NewMicroTime(renewed)
	return &coordinationv1.Lease{
		TypeMeta:   metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "scheduler"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &a, RenewTime: &r, LeaseTransitions: &transitions},
	}
}

func TestALeaseIsHeldUntilItIsGivenUpOrNotRenewed(t *testing.T) {
	t.Parallel() // it waits for most of its time
	c := newCluster(t)
	acquired := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	node := newLease("node-1", acquired, acquired)
	node.Namespace = "kube-node-lease"
	c.put("leases", node) // that a node lives is no phase
	w := begin(t, c, kubernetes.Config{})
	c.put("leases", newLease("a", acquired, time.Now()))
	if got := w.expect(t, "phase scheduler: lease=a"); !got[0].Time.Equal(acquired) {
		t.Errorf("it is held since %s, want %s", got[0].Time, acquired)
	}
	c.put("leases", newLease("b", time.Now(), time.Now()))
	w.expect(t, "phase scheduler: lease=b")
	c.put("leases", newLease("", time.Now(), time.Now()))
	w.expect(t, "phase scheduler: lease ends")
	// The clock of this holder is an hour behind, which does not matter.
	c.put("leases", newLease("c", acquired, acquired))
	w.expect(t, "phase scheduler: lease=c")
	began := time.Now()
	w.expect(t, "phase scheduler: lease ends")
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("the lease lasts a second, and ended after %s", took)
	}
}

func TestAWatchThatBreaksIsOpenedAgain(t *testing.T) {
	t.Parallel() // it waits for most of its time
	c := newCluster(t)
	p := newPod("checkout-7f-a")
	c.put("pods", p)
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(p, "rs")))
	w := begin(t, c, kubernetes.Config{})
	for _, conditions := range []string{"st", "rs"} {
		c.breakStreams()
		c.put("endpointslices", newSlice("s1", "checkout", endpoint(p, conditions)))
		want := telemetry.EndpointReady
		if conditions == "st" {
			want = telemetry.EndpointServing
		}
		w.expect(t, "phase checkout/checkout-7f-a: endpoint checkout="+want)
	}
}

func TestWhatIsNotTakenIsSentAgain(t *testing.T) {
	c := newCluster(t)
	p := newPod("checkout-7f-a")
	c.put("pods", p)
	var tries atomic.Int64
	taken := make(chan *telemetry.Change, 100)
	w := begin(t, c, kubernetes.Config{Report: func(change *telemetry.Change) error {
		if change.Dimension == telemetry.DimensionLease {
			return fmt.Errorf("%w: it is from before the year 2000", kubernetes.ErrInvalid)
		}
		if tries.Add(1) < 3 {
			return errors.New("the queue is full")
		}
		taken <- change
		return nil
	}})
	c.put("leases", newLease("a", time.Unix(0, 0), time.Now())) // it will not be taken ever
	eventually(t, "the lease is left out", func() bool { return strings.Contains(w.log.String(), "a change of the cluster is left out") })
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(p, "")))
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(p, "rs")))
	for _, want := range []string{telemetry.EndpointNotReady, telemetry.EndpointReady} {
		select {
		case got := <-taken:
			if got.Value != want {
				t.Fatalf("%s was taken, want %s: order is what changes are about", text(got), want)
			}
		case <-time.After(wait):
			t.Fatalf("%s was not taken after %d tries", want, tries.Load())
		}
	}
}

// Nothing is taken while five thousand endpoints come and go. What has no room is
// counted, and nothing is left in force that is over.
func TestAFullQueueLeavesNothingInForce(t *testing.T) {
	t.Parallel() // it waits for most of its time
	const endpoints = 5000
	c := newCluster(t)
	var held atomic.Bool
	held.Store(true)
	taken := make(chan *telemetry.Change, 4*endpoints)
	registry := prometheus.NewRegistry()
	w := begin(t, c, kubernetes.Config{Registerer: registry, Report: func(change *telemetry.Change) error {
		if held.Load() {
			return errors.New("the queue is full")
		}
		taken <- change
		return nil
	}})
	const slice = 100 // as many as the cluster puts into one
	for i := range endpoints / slice {
		var list []discoveryv1.Endpoint
		for j := range slice {
			p := newPod(fmt.Sprintf("checkout-7f-%d-%d", i, j))
			c.put("pods", p)
			list = append(list, endpoint(p, ""))
		}
		c.put("endpointslices", newSlice(fmt.Sprint("s", i), "checkout", list...))
	}
	dropped := func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "eddy_kubernetes_dropped_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return 0
	}
	eventually(t, "something has no room", func() bool { return dropped() > 0 })
	for i := range endpoints / slice {
		c.drop("endpointslices", newSlice(fmt.Sprint("s", i), "checkout"))
	}
	held.Store(false)
	inForce := make(map[string]bool)
	quiet := 1500 * time.Millisecond // what is owed is paid every second
	for deadline, idle := time.After(wait), false; !idle; {
		select {
		case got := <-taken:
			if got.Ends {
				delete(inForce, got.Instance)
			} else {
				inForce[got.Instance] = true
			}
		case <-time.After(quiet):
			idle = len(inForce) == 0
		case <-deadline:
			idle = true
		}
	}
	if len(inForce) > 0 {
		t.Errorf("%d endpoints are left in force; log:\n%.2000s", len(inForce), w.log)
	}
	if got := dropped(); got < 100 {
		t.Errorf("%.0f had no room, and 5000 do not fit", got)
	}
}
