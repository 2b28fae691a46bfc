package kubernetes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/internal/kubernetes"
)

// A kubelet is played: it binds pods to a node, says that they run, and that they are
// ready as long as all their readiness gates are true, as the real one does. Of pods
// that are deleted it runs the preStop hook, as a process, before they are gone.
type kubelet struct {
	cluster *realCluster
	// command makes what is run of a hook's command and its container's env.
	command func(argv []string, env map[string]string) *exec.Cmd

	mu      sync.Mutex
	next    int // of addresses
	address map[string]string
	ending  map[string]bool
	hooks   map[string]hook
	work    sync.WaitGroup
}

// A hook is how one went.
type hook struct {
	took   time.Duration
	output string
	err    error
}

// run plays until ctx ends.
func (k *kubelet) run(ctx context.Context) {
	k.address, k.ending, k.hooks = make(map[string]string), make(map[string]bool), make(map[string]hook)
	for ctx.Err() == nil {
		status, answer, err := k.cluster.ask(http.MethodGet, "/api/v1/namespaces/shop/pods", "", nil)
		var list corev1.PodList
		if err == nil && status == http.StatusOK && json.Unmarshal(answer, &list) == nil {
			for _, p := range list.Items {
				k.sync(ctx, &p)
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	k.work.Wait()
}

// sync does the next thing that a pod needs.
func (k *kubelet) sync(ctx context.Context, p *corev1.Pod) {
	path := "/api/v1/namespaces/shop/pods/" + p.Name
	if p.Spec.NodeName == "" {
		k.send(http.MethodPost, path+"/binding", "application/json", map[string]any{
			"apiVersion": "v1", "kind": "Binding", "metadata": map[string]string{"name": p.Name}, "target": map[string]string{"kind": "Node", "name": "n1"},
		})
		return
	}
	k.mu.Lock()
	if k.address[p.Name] == "" {
		k.next++
		k.address[p.Name] = fmt.Sprintf("10.1.1.%d", k.next)
	}
	address, begins := k.address[p.Name], p.DeletionTimestamp != nil && !k.ending[p.Name]
	k.ending[p.Name] = k.ending[p.Name] || begins
	k.mu.Unlock()
	if begins {
		k.work.Go(func() { k.end(ctx, p) })
	}
	ready := "True"
	for _, gate := range p.Spec.ReadinessGates {
		if !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}) {
			ready = "False"
		}
	}
	if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && string(c.Status) == ready }) {
		return
	}
	k.send(http.MethodPatch, path+"/status", "application/strategic-merge-patch+json", map[string]any{"status": map[string]any{
		"phase": "Running", "podIP": address, "podIPs": []map[string]string{{"ip": address}},
		"conditions": []map[string]string{{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": ready}},
	}})
}

// send asks; what fails is tried again when the pod is looked at next.
func (k *kubelet) send(method, path, contentType string, body any) {
	if status, answer, err := k.cluster.ask(method, path, contentType, body); err != nil || status >= 300 && status != http.StatusNotFound && status != http.StatusConflict {
		k.cluster.t.Logf("kubelet: %s %s: %d %v %s", method, path, status, err, answer)
	}
}

// end runs the hook, as far as the grace period lets it, and then the pod is gone.
func (k *kubelet) end(ctx context.Context, p *corev1.Pod) {
	container := p.Spec.Containers[0]
	env := make(map[string]string)
	for _, v := range container.Env {
		switch {
		case v.ValueFrom != nil && v.ValueFrom.FieldRef != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.name":
			env[v.Name] = p.Name
		case v.ValueFrom == nil:
			env[v.Name] = strings.ReplaceAll(v.Value, "$(POD_NAME)", env["POD_NAME"])
		}
	}
	began := time.Now()
	cmd := k.command(container.Lifecycle.PreStop.Exec.Command, env)
	limit := time.AfterFunc(time.Duration(*p.DeletionGracePeriodSeconds)*time.Second, func() { _ = cmd.Process.Kill() })
	output, err := cmd.CombinedOutput()
	limit.Stop()
	k.mu.Lock()
	k.hooks[p.Name] = hook{time.Since(began), string(output), err}
	k.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	// What the container then does when it gets SIGTERM takes no time here.
	k.send(http.MethodDelete, "/api/v1/namespaces/shop/pods/"+p.Name, "application/json", map[string]any{
		"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": map[string]any{"uid": p.UID},
	})
}

// hook says how the hook of a pod went.
func (k *kubelet) hook(name string) (hook, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, ok := k.hooks[name]
	return h, ok
}

// gateOf is the condition of a pod's gate.
func gateOf(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == kubernetes.GateCondition {
			return string(c.Status) + " " + c.Reason
		}
	}
	return ""
}
