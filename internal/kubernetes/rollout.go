package kubernetes

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

const (
	// revisionAnnotation numbers the pod templates of a Deployment.
	revisionAnnotation = "deployment.kubernetes.io/revision"
	// The dimension and the value are those that are derived from telemetry in which
	// two versions are seen at once.
	dimensionRollout = "rollout"
	valueRollout     = "in progress"
	// lately is how long ago something may have ended that a process before this one
	// could not see the end of.
	lately = time.Hour
)

// A deployment is what is kept of one.
type deployment struct {
	service  string
	revision string
	images   map[string]string // by container
	replicas int32
	rolling  bool
}

func (w *Watcher) deploymentResource() resource {
	return resource{
		group: appsv1.GroupName, name: deployments, example: &appsv1.Deployment{}, strip: stripDeployment,
		set: func(object any, first bool) {
			if d, ok := object.(*appsv1.Deployment); ok {
				w.setDeployment(d, first, time.Now())
			}
		},
		gone: func(object any) {
			if d, ok := object.(*appsv1.Deployment); ok {
				w.deploymentGone(d, time.Now())
			}
		},
	}
}

func stripDeployment(object any) (any, error) {
	d, ok := object.(*appsv1.Deployment)
	if !ok {
		return object, nil
	}
	kept := &appsv1.Deployment{ObjectMeta: stripMeta(d.ObjectMeta, []string{revisionAnnotation}), Status: d.Status}
	kept.Status.Conditions = nil
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			kept.Status.Conditions = append(kept.Status.Conditions, c)
		}
	}
	kept.Spec.Replicas = d.Spec.Replicas
	kept.Spec.Template.ObjectMeta = stripMeta(d.Spec.Template.ObjectMeta, podAnnotations())
	for _, c := range d.Spec.Template.Spec.Containers {
		kept.Spec.Template.Spec.Containers = append(kept.Spec.Template.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return kept, nil
}

// describe reads a deployment. It is rolling while pods of an older template are
// there, and from then on until as many as are wanted are available.
func describe(d *appsv1.Deployment, before deployment) deployment {
	template := d.Spec.Template.ObjectMeta
	now := deployment{
		service:  cmp.Or(template.Annotations[resourceAnnotation+attr.ServiceName], template.Labels["app.kubernetes.io/name"], d.Name),
		revision: d.Annotations[revisionAnnotation], images: make(map[string]string), replicas: 1,
	}
	if d.Spec.Replicas != nil {
		now.replicas = *d.Spec.Replicas
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		now.images[c.Name] = c.Image
	}
	s := d.Status
	old := s.Replicas > s.UpdatedReplicas
	complete := s.ObservedGeneration >= d.Generation && !old && s.UpdatedReplicas >= now.replicas && s.AvailableReplicas >= now.replicas
	begun := before.revision != "" && before.revision != now.revision
	now.rolling = old || (before.rolling || begun) && !complete
	return now
}

// setDeployment takes a Deployment in. What it was like when the watcher began is not
// a change, except for a rollout that is under way.
func (w *Watcher) setDeployment(d *appsv1.Deployment, first bool, at time.Time) {
	key := objectKey{d.Namespace, d.Name}
	w.mu.Lock()
	before, known := w.rollout[key]
	now := describe(d, before)
	w.rollout[key] = now
	w.mu.Unlock()
	name := "Deployment " + d.Namespace + "/" + d.Name
	if known && !first {
		w.compare(name, before, now, at)
	}
	rollout := state{now.service, "", dimensionRollout}
	if ended := progressed(d); first && !now.rolling && at.Sub(ended) < lately {
		// A process before this one may have seen it begin and not end.
		w.changes.event(rollout, telemetry.Change{Time: ended, Kind: telemetry.ChangeDeploy, Ends: true, Summary: name + " has rolled out revision " + now.revision})
	}
	if now.rolling {
		w.changes.put(rollout, telemetry.Change{Time: at, Kind: telemetry.ChangeDeploy, Value: valueRollout, Summary: name + " rolls out revision " + now.revision})
	} else {
		w.changes.end(rollout, telemetry.Change{Time: at, Kind: telemetry.ChangeDeploy, Summary: name + " has rolled out revision " + now.revision})
	}
}

// progressed is when the Deployment last said how it gets on, which is when it was
// done if it is.
func progressed(d *appsv1.Deployment) time.Time {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.LastUpdateTime.Time
		}
	}
	return time.Time{}
}

// compare reports what differs.
func (w *Watcher) compare(name string, before, now deployment, at time.Time) {
	images := false
	for _, container := range slices.Sorted(maps.Keys(now.images)) {
		image := now.images[container]
		if was, had := before.images[container]; had && was == image {
			continue
		}
		images = true
		w.changes.event(state{now.service, "", "image " + container}, telemetry.Change{
			Time: at, Kind: telemetry.ChangeDeploy, Value: image, Previous: before.images[container],
			Summary: fmt.Sprintf("%s: image of container %s", name, container),
		})
	}
	if !images && before.revision != "" && before.revision != now.revision {
		w.changes.event(state{now.service, "", "pod template"}, telemetry.Change{
			Time: at, Kind: telemetry.ChangeConfig, Value: "revision " + now.revision, Previous: "revision " + before.revision,
			Summary: name + ": the pod template, with the same images",
		})
	}
	if before.replicas != now.replicas {
		w.changes.event(state{now.service, "", "replicas"}, telemetry.Change{
			Time: at, Kind: telemetry.ChangeScale, Value: strconv.Itoa(int(now.replicas)), Previous: strconv.Itoa(int(before.replicas)),
			Summary: name + ": replicas",
		})
	}
}

// deploymentGone ends what a Deployment was in.
func (w *Watcher) deploymentGone(d *appsv1.Deployment, at time.Time) {
	key := objectKey{d.Namespace, d.Name}
	w.mu.Lock()
	before := w.rollout[key]
	delete(w.rollout, key)
	w.mu.Unlock()
	w.changes.end(state{before.service, "", dimensionRollout}, telemetry.Change{
		Time: at, Kind: telemetry.ChangeDeploy, Summary: "Deployment " + d.Namespace + "/" + d.Name + " is deleted",
	})
}
