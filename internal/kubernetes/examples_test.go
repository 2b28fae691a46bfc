package kubernetes_test

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/phase/contract"
)

const examples = "../../examples/kubernetes"

// objects reads the objects of a file, with the types of the API: a field that it does
// not have, or has twice, is an error.
func objects(t *testing.T, file string) []runtime.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, rbacv1.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	strict := kubejson.NewSerializerWithOptions(kubejson.DefaultMetaFactory, known, known, kubejson.SerializerOptions{Yaml: true, Strict: true})
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	var all []runtime.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		o, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v: %v", file, kind, err)
		}
		all = append(all, o)
	}
}

// find returns the only object of a type.
func find[T runtime.Object](t *testing.T, file string) T {
	t.Helper()
	var found []T
	for _, o := range objects(t, file) {
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d %T, want one", file, len(found), *new(T))
	}
	return found[0]
}

func TestTheExampleRolesAllowWhatIsDoneAndNoMore(t *testing.T) {
	var want []string
	for _, p := range kubernetes.Permissions(true) {
		resource := p.Resource
		if p.Subresource != "" {
			resource += "/" + p.Subresource
		}
		want = append(want, fmt.Sprintf("%s %s.%s", p.Verb, resource, p.Group))
	}
	slices.Sort(want)
	role, cluster := find[*rbacv1.Role](t, "rbac.yaml"), find[*rbacv1.ClusterRole](t, "rbac-all.yaml")
	for name, rules := range map[string][]rbacv1.PolicyRule{"rbac.yaml": role.Rules, "rbac-all.yaml": cluster.Rules} {
		var got []string
		for _, rule := range rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						got = append(got, fmt.Sprintf("%s %s.%s", verb, resource, group))
					}
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s allows\n  %s\nwant\n  %s", name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	}
	account, binding, all := find[*corev1.ServiceAccount](t, "rbac.yaml"), find[*rbacv1.RoleBinding](t, "rbac.yaml"), find[*rbacv1.ClusterRoleBinding](t, "rbac-all.yaml")
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}}
	if !slices.Equal(binding.Subjects, subject) || binding.RoleRef.Name != role.Name || binding.RoleRef.Kind != "Role" || binding.Namespace != role.Namespace {
		t.Errorf("rbac.yaml binds %+v to %+v", binding.RoleRef, binding.Subjects)
	}
	if !slices.Equal(all.Subjects, subject) || all.RoleRef.Name != cluster.Name || all.RoleRef.Kind != "ClusterRole" {
		t.Errorf("rbac-all.yaml binds %+v to %+v", all.RoleRef, all.Subjects)
	}
	server := find[*appsv1.Deployment](t, "server.yaml")
	if server.Namespace != account.Namespace || server.Spec.Template.Spec.ServiceAccountName != account.Name {
		t.Errorf("the server runs as %s of %s", server.Spec.Template.Spec.ServiceAccountName, server.Namespace)
	}
}

// The tokens file of a server that everyone can read ends its start.
func TestTheExampleServerKeepsItsSecretsFromOthers(t *testing.T) {
	pod := find[*appsv1.Deployment](t, "server.yaml").Spec.Template.Spec
	secrets := 0
	for _, v := range pod.Volumes {
		if v.Secret == nil {
			continue
		}
		secrets++
		if mode := v.Secret.DefaultMode; mode == nil || *mode != 0o440 {
			t.Errorf("the mode of volume %s is not 0440", v.Name)
		}
	}
	if secrets != 2 || pod.SecurityContext.FSGroup == nil || *pod.SecurityContext.FSGroup != *pod.SecurityContext.RunAsUser {
		t.Errorf("%d volumes are secrets, want 2, for the group of user %v", secrets, pod.SecurityContext.RunAsUser)
	}
}

func TestTheExampleWorkloadDrainsWithinItsGrace(t *testing.T) {
	workload := find[*appsv1.Deployment](t, "checkout.yaml")
	pod := workload.Spec.Template
	if len(pod.Spec.ReadinessGates) != 1 || pod.Spec.ReadinessGates[0].ConditionType != kubernetes.GateCondition {
		t.Errorf("its readiness gates are %v", pod.Spec.ReadinessGates)
	}
	if !matches(workload.Spec.Selector.MatchLabels, pod.Labels) {
		t.Error("the Deployment does not select its own pods")
	}
	service := find[*corev1.Service](t, "checkout.yaml")
	if !matches(service.Spec.Selector, pod.Labels) {
		t.Error("the Service does not select the pods")
	}
	rules, err := contract.Load(filepath.Join(examples, "pod-drain.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	container := pod.Spec.Containers[0]
	env := make(map[string]string)
	for _, v := range container.Env {
		env[v.Name] = v.Value
	}
	if pod.Annotations["eddy.dev/contract"] != rules.Name || env["EDDY_CONTRACT"] != rules.Name {
		t.Errorf("the gate goes by %q, the hook by %q; want %s", pod.Annotations["eddy.dev/contract"], env["EDDY_CONTRACT"], rules.Name)
	}
	// The key that the gate makes of the pod is the one that the hook announces.
	want := strings.NewReplacer("{service.namespace}", workload.Namespace, "{service.name}", cmp.Or(pod.Labels["app.kubernetes.io/name"], workload.Name), "{service.instance.id}", "$(POD_NAME)").Replace(rules.Subject.Key)
	if env["EDDY_SUBJECT"] != want {
		t.Errorf("the hook drains %s, and the gate follows %s", env["EDDY_SUBJECT"], want)
	}
	command := container.Lifecycle.PreStop.Exec.Command
	at := slices.Index(command, "--wait")
	if at < 0 {
		t.Fatalf("the hook %q has no --wait", command)
	}
	limit, err := time.ParseDuration(command[at+1])
	if err != nil {
		t.Fatal(err)
	}
	if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; limit+6*time.Second > grace {
		t.Errorf("the hook takes up to %s of %s, and the program needs some of it", limit, grace)
	}
	// The hook has to have time for what the contract wants, before it falls back.
	stop, _ := rules.Transition("DRAIN", "SHUTDOWN")
	if need := max(stop.MinDwell, 15*time.Second) + stop.Await.AtMost; need > limit-10*time.Second {
		t.Errorf("the contract may take %s, and the hook has %s", need, limit-10*time.Second)
	}
}

func matches(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}
