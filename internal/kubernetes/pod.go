package kubernetes

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// An objectKey names an object that has no successor of the same name to be told
// from.
type objectKey struct{ namespace, name string }

// A podKey names one pod, and not the next of the same name.
type podKey struct {
	namespace, name string
	uid             types.UID
}

// String is for people.
func (k podKey) String() string { return k.namespace + "/" + k.name }

// A pod is what is kept of one.
type pod struct{ service, instance string }

// resourceAnnotation begins the annotations with which a pod says what its telemetry
// says of it, by the OpenTelemetry operator's convention.
const resourceAnnotation = "resource.opentelemetry.io/"

// podAnnotations are all that is read of a pod's.
func podAnnotations() []string {
	return []string{
		resourceAnnotation + attr.ServiceName, resourceAnnotation + attr.ServiceNamespace, resourceAnnotation + attr.ServiceInstanceID,
		annotationContract, annotationSubject, annotationAction,
	}
}

// identify says what a pod is called in telemetry: as its annotations say, else as the
// semantic conventions derive it from Kubernetes. The instance is the name of the pod,
// which is k8s.pod.name.
func identify(m metav1.ObjectMeta) pod {
	return pod{
		service:  cmp.Or(m.Annotations[resourceAnnotation+attr.ServiceName], m.Labels["app.kubernetes.io/name"], owner(m), m.Name),
		instance: cmp.Or(m.Annotations[resourceAnnotation+attr.ServiceInstanceID], m.Name),
	}
}

// owner is the name of what a pod was made for: a Deployment, through the ReplicaSet
// that has its name and the hash of the pod template, or a StatefulSet and so on.
func owner(m metav1.ObjectMeta) string {
	controller := metav1.GetControllerOfNoCopy(&m)
	if controller == nil {
		return ""
	}
	if controller.Kind == "ReplicaSet" {
		return strings.TrimSuffix(controller.Name, "-"+m.Labels["pod-template-hash"])
	}
	return controller.Name
}

func (w *Watcher) podResource() resource {
	return resource{
		name: pods, example: &corev1.Pod{}, strip: stripPod,
		set: func(object any, _ bool) {
			if p, ok := object.(*corev1.Pod); ok {
				w.setPod(p, time.Now())
			}
		},
		gone: func(object any) {
			if p, ok := object.(*corev1.Pod); ok {
				w.podGone(p, time.Now())
			}
		},
	}
}

// stripPod drops what is not needed of a pod: all pods of the cluster are kept.
func stripPod(object any) (any, error) {
	p, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	kept := &corev1.Pod{ObjectMeta: stripMeta(p.ObjectMeta, podAnnotations())}
	kept.Spec.ReadinessGates = p.Spec.ReadinessGates
	for _, c := range p.Status.Conditions {
		if c.Type == GateCondition {
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
	}
	return kept, nil
}

func stripMeta(m metav1.ObjectMeta, annotations []string) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		Labels: m.Labels, OwnerReferences: m.OwnerReferences,
		DeletionTimestamp: m.DeletionTimestamp, DeletionGracePeriodSeconds: m.DeletionGracePeriodSeconds,
	}
	kept.Annotations = maps.Clone(m.Annotations)
	maps.DeleteFunc(kept.Annotations, func(name, _ string) bool { return !slices.Contains(annotations, name) })
	return kept
}

// setPod takes a pod in that is there.
func (w *Watcher) setPod(p *corev1.Pod, now time.Time) {
	k, id := podKey{p.Namespace, p.Name, p.UID}, identify(p.ObjectMeta)
	w.mu.Lock()
	w.pods[k] = id
	waiting := w.waiting[k]
	delete(w.waiting, k)
	w.mu.Unlock()
	for _, slice := range waiting {
		w.lookAgain(slice, now)
	}
	if p.DeletionTimestamp != nil {
		w.changes.put(state{id.service, id.instance, telemetry.DimensionPod}, telemetry.Change{
			Time: deletionAsked(p.ObjectMeta), Kind: telemetry.ChangePhase, Value: telemetry.PodTerminating,
			Summary: "pod " + k.String() + " is being deleted",
		})
	}
	if w.gate != nil {
		w.gate.setPod(p, k)
	}
}

// deletionAsked is when the deletion was asked for: the timestamp is when the grace
// period is over.
func deletionAsked(m metav1.ObjectMeta) time.Time {
	at := m.DeletionTimestamp.Time
	if m.DeletionGracePeriodSeconds != nil {
		at = at.Add(-time.Duration(*m.DeletionGracePeriodSeconds) * time.Second)
	}
	return at
}

// podGone takes note that a pod is there no more.
func (w *Watcher) podGone(p *corev1.Pod, now time.Time) {
	k, id := podKey{p.Namespace, p.Name, p.UID}, identify(p.ObjectMeta)
	w.mu.Lock()
	delete(w.pods, k)
	delete(w.waiting, k)
	w.mu.Unlock()
	w.changes.end(state{id.service, id.instance, telemetry.DimensionPod}, telemetry.Change{
		Time: now, Kind: telemetry.ChangePhase, Summary: "pod " + k.String() + " is gone",
	})
	if w.gate != nil {
		w.gate.podGone(k)
	}
}
