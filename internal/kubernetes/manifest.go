package kubernetes

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"

	"example.test/eddy/phase/contract"
)

// stopTime is what is left of the grace period for the program itself, after its hook:
// net/http takes a connection that has not sent anything for busy during five seconds.
const stopTime = 6 * time.Second

// A workload is an object that makes pods, or a pod.
type workload struct {
	at        contract.Position
	name      string // Deployment shop/checkout
	meta      metav1.ObjectMeta
	pod       corev1.PodTemplateSpec
	contracts func(name string) *contract.Contract
	problems  []contract.Problem
}

// CheckManifests says what is wrong with the preStop hooks and readiness gates of
// Eddy's in Kubernetes manifests, and how many workloads have one. Codes are those of
// docs/kubernetes.md. contracts returns a contract by its name, nil if there is none.
// The error is that the text is no YAML; objects of kinds that make no pods are passed
// over.
func CheckManifests(file string, text []byte, contracts func(name string) *contract.Contract) (problems []contract.Problem, checked int, err error) {
	known := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(known), appsv1.AddToScheme(known)); err != nil {
		return nil, 0, fmt.Errorf("kubernetes: %w", err)
	}
	strict := kubejson.NewSerializerWithOptions(kubejson.DefaultMetaFactory, known, known, kubejson.SerializerOptions{Yaml: true, Strict: true})
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	line := 1
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return problems, checked, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		at := contract.Position{File: file, Line: line, Column: 1}
		line += bytes.Count(document, []byte("\n")) + 1
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		object, _, err := strict.Decode(document, nil, nil)
		switch {
		case runtime.IsNotRegisteredError(err) || runtime.IsMissingKind(err):
			continue
		case runtime.IsStrictDecodingError(err):
			problems = append(problems, contract.Problem{Position: at, Severity: contract.SeverityError, Message: err.Error()})
		case err != nil:
			return nil, 0, fmt.Errorf("%s: object at line %d: %w", file, at.Line, err)
		}
		w, ok := workloadOf(object)
		if !ok {
			continue
		}
		w.at, w.contracts = at, contracts
		if w.check() {
			checked++
		}
		problems = append(problems, w.problems...)
	}
}

// workloadOf returns an object that makes pods.
func workloadOf(object runtime.Object) (*workload, bool) {
	w := &workload{}
	kind := ""
	switch o := object.(type) {
	case *appsv1.Deployment:
		kind, w.meta, w.pod = "Deployment", o.ObjectMeta, o.Spec.Template
	case *appsv1.StatefulSet:
		kind, w.meta, w.pod = "StatefulSet", o.ObjectMeta, o.Spec.Template
	case *appsv1.DaemonSet:
		kind, w.meta, w.pod = "DaemonSet", o.ObjectMeta, o.Spec.Template
	case *corev1.Pod:
		kind, w.meta, w.pod = "Pod", o.ObjectMeta, corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
	default:
		return nil, false
	}
	w.name = kind + " " + strings.TrimPrefix(w.meta.Namespace+"/"+w.meta.Name, "/")
	return w, true
}

// problem notes what is wrong, and where in the pod.
func (w *workload) problem(code string, severity contract.Severity, field, fix, format string, args ...any) {
	w.problems = append(w.problems, contract.Problem{
		Position: w.at, Code: code, Severity: severity, Field: w.name + " " + field, Message: fmt.Sprintf(format, args...), Fix: fix,
	})
}

// check looks at the hooks and the gate of a workload, and reports whether it has any.
func (w *workload) check() bool {
	gate := hasGate(w.pod.Spec)
	var hooks []*drainHook
	other := false
	for _, c := range w.pod.Spec.Containers {
		switch h, ok := hookOf(c); {
		case ok:
			hooks = append(hooks, h)
		case c.Lifecycle != nil && c.Lifecycle.PreStop != nil:
			other = true
		}
	}
	annotated := w.pod.Annotations[annotationContract] != ""
	if !gate && !annotated && len(hooks) == 0 {
		return false
	}
	if gate || annotated {
		w.checkGate(gate, len(hooks) == 0 && !other)
	}
	for _, h := range hooks {
		w.checkHook(h)
		if gate && annotated {
			w.checkAgree(h)
		}
	}
	return true
}

// checkGate looks at the readiness gate.
func (w *workload) checkGate(gate, alone bool) {
	name := w.pod.Annotations[annotationContract]
	if name == "" {
		w.problem("K04", contract.SeverityError, "metadata.annotations", "name the contract in "+annotationContract, "the pod has the readiness gate %s and does not say by which contract it goes: it never becomes ready", GateCondition)
		return
	}
	if !gate {
		w.problem("K04", contract.SeverityWarning, "spec.readinessGates", "add conditionType: "+GateCondition, "the pod names the contract %s and has no readiness gate, so nothing goes by it", name)
	}
	if gate && alone {
		w.problem("K08", contract.SeverityWarning, "lifecycle", "add a preStop hook, unless the program itself announces that it drains", "the pod has the readiness gate and no preStop hook")
	}
	rules := w.contract(name, "metadata.annotations."+annotationContract)
	if rules == nil {
		return
	}
	action := cmp.Or(w.pod.Annotations[annotationAction], defaultAction)
	if _, ok := rules.Actions[action]; !ok {
		w.problem("K05", contract.SeverityError, "metadata.annotations."+annotationAction, "name one of "+strings.Join(rules.ActionNames(), ", "), "%s has no action %s", rules.ID(), action)
	}
	if _, err := w.subject(rules); err != nil {
		w.problem("K06", contract.SeverityError, "metadata.annotations", "", "%v", err)
	}
}

// contract returns a contract, or notes that there is none.
func (w *workload) contract(name, field string) *contract.Contract {
	rules := w.contracts(name)
	if rules == nil {
		w.problem("K05", contract.SeverityError, field, "give its file with --contract", "the contract %s is not known", name)
	}
	return rules
}

// podName stands for the name of a pod, which its owner will choose.
const podName = "$(POD_NAME)"

// subject is the key that the gate makes of a pod.
func (w *workload) subject(rules *contract.Contract) (string, error) {
	p := &corev1.Pod{ObjectMeta: w.pod.ObjectMeta}
	p.Name, p.Namespace, p.UID = podName, w.meta.Namespace, "$(POD_UID)"
	if p.Labels["app.kubernetes.io/name"] == "" && p.Annotations[resourceAnnotation+"service.name"] == "" {
		p.Labels = map[string]string{"app.kubernetes.io/name": w.meta.Name} // as its owner says
	}
	return subjectKey(rules, gated{annotations: p.Annotations, parts: keyParts(p)})
}
