package kubernetes

import (
	"cmp"
	"fmt"
	"regexp"

	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/attr"
	"example.test/eddy/phase/contract"
)

// keyPart is a part of a subject's key that is an attribute.
var keyPart = regexp.MustCompile(`\{([^{}]*)\}`)

// keyParts are the attributes that a pod's telemetry has, as far as Kubernetes knows.
func keyParts(p *corev1.Pod) map[string]string {
	id := identify(p.ObjectMeta)
	return map[string]string{
		attr.ServiceName:       id.service,
		attr.ServiceInstanceID: id.instance,
		attr.ServiceNamespace:  cmp.Or(p.Annotations[resourceAnnotation+attr.ServiceNamespace], p.Namespace),
		attr.K8SNamespaceName:  p.Namespace,
		attr.K8SPodName:        p.Name,
		attr.K8SPodUID:         string(p.UID),
	}
}

// subjectKey is the key of a pod in a contract: what its annotation says, else what
// the contract makes of its attributes.
func subjectKey(c *contract.Contract, p gated) (string, error) {
	if key := p.annotations[annotationSubject]; key != "" {
		return key, nil
	}
	unknown := ""
	key := keyPart.ReplaceAllStringFunc(c.Subject.Key, func(part string) string {
		value, ok := p.parts[part[1:len(part)-1]]
		if !ok {
			unknown = part
		}
		return value
	})
	if unknown != "" {
		return "", fmt.Errorf("keys of %s are %s, and Kubernetes does not know %s of a pod: give the key in the annotation %s", c.ID(), c.Subject.Key, unknown, annotationSubject)
	}
	return key, nil
}
