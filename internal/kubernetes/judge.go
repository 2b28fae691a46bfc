package kubernetes

import (
	"cmp"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// decide returns the condition that a pod should have, false if it has it, or if
// nothing can be said now.
func (g *gate) decide(k podKey, now time.Time) (corev1.PodCondition, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, known := g.pods[k]
	if !known {
		return corev1.PodCondition{}, false
	}
	next, ok := g.judge(k, p)
	have := p.condition
	if !ok || have != nil && have.Status == next.Status && have.Reason == next.Reason && have.Message == next.Message {
		return corev1.PodCondition{}, false
	}
	next.Type, next.LastTransitionTime = GateCondition, metav1.NewTime(now)
	if have != nil && have.Status == next.Status {
		next.LastTransitionTime = have.LastTransitionTime
	}
	return next, true
}

// judge says whether the phase of a pod allows its action. One that is announced and
// may not be in force yet allows it only if the one before does, too. The caller holds
// the lock.
func (g *gate) judge(k podKey, p gated) (corev1.PodCondition, bool) {
	no := func(reason, format string, args ...any) (corev1.PodCondition, bool) {
		return corev1.PodCondition{Status: corev1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}, true
	}
	name := p.annotations[annotationContract]
	if name == "" {
		return no("NoContract", "the pod has the readiness gate and no annotation %s", annotationContract)
	}
	r := g.watched[name]
	if r == nil {
		return no("TooManyContracts", "readiness gates name more than %d contracts", maxContracts)
	}
	if !r.current {
		if r.unknown != "" && p.condition == nil {
			return no("NoContract", "%s", r.unknown)
		}
		return corev1.PodCondition{}, false
	}
	key, err := subjectKey(r.contract, p)
	if err != nil {
		return no("NoSubject", "%v", err)
	}
	to := subject{name, key}
	g.move(k, p.subject, to)
	p.subject = to
	g.pods[k] = p
	action := cmp.Or(p.annotations[annotationAction], defaultAction)
	if _, known := r.contract.Actions[action]; !known {
		return no("NoAction", "%s has no action %s: name one in the annotation %s", r.contract.ID(), action, annotationAction)
	}
	record, announced := r.records[key]
	if !announced {
		record = wire.Record{Phase: string(r.contract.Initial)}
	}
	allows := func(phase string) bool {
		return r.contract.Permits(contract.PhaseName(phase), action) == contract.Allow
	}
	switch {
	case !allows(record.Phase):
		return no("PhaseForbids", "%s is in %s at epoch %d of %s, which does not allow %s", key, record.Phase, record.Epoch, r.contract.ID(), action)
	case record.Enforced < record.Epoch && !allows(record.Previous):
		return no("NotInForce", "%s is announced in %s at epoch %d of %s, and %s may be in force", key, record.Phase, record.Epoch, r.contract.ID(), record.Previous)
	}
	return corev1.PodCondition{
		Status: corev1.ConditionTrue, Reason: "PhaseAllows",
		Message: fmt.Sprintf("%s is in %s at epoch %d of %s, which allows %s", key, record.Phase, record.Epoch, r.contract.ID(), action),
	}, true
}
