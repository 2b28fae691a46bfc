package kubernetes_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"example.test/eddy/internal/telemetry"
)

// "make test-k8s" runs this: our server, the examples' manifests and the hook against
// a real API server with RBAC and the real controllers. EDDY_KUBERNETES names the
// directory of their binaries, EDDY_BINARY ours.
func TestARealCluster(t *testing.T) {
	binaries, binary := os.Getenv("EDDY_KUBERNETES"), os.Getenv("EDDY_BINARY")
	if binaries == "" || binary == "" {
		t.Skip("it takes binaries of Kubernetes: make test-k8s")
	}
	c := startRealCluster(t, binaries)
	c.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")
	c.apply("apiVersion: v1\nkind: Node\nmetadata: {name: n1}")
	c.apply(c.example("rbac.yaml"))
	var issued struct{ Status struct{ Token string } }
	c.must(&issued, http.MethodPost, "/api/v1/namespaces/eddy/serviceaccounts/eddy/token", "application/json",
		map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"expirationSeconds": 3600}})
	e := &eddy{cluster: c, binary: binary, kubeconfig: c.kubeconfig("eddy", issued.Status.Token)}
	e.prepare()

	t.Run("the example manifests are what the API server takes", func(t *testing.T) {
		c.apply(c.example("server.yaml"))
		c.apply("---\n" + c.example("rbac-all.yaml"))
		c.must(nil, http.MethodDelete, paths("ClusterRoleBinding")+"/eddy", "", nil)
	})
	t.Run("a role that allows less ends the start with what is missing", func(t *testing.T) { e.refused(t) })

	e.start()
	inflight := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, 0) }))
	defer inflight.Close()
	k := &kubelet{cluster: c, command: func(argv []string, env map[string]string) *exec.Cmd { return e.hook(argv, env, inflight.URL) }}
	playing, stop := contextOf(t)
	var running sync.WaitGroup
	running.Go(func() { k.run(playing) })
	defer func() { stop(); running.Wait() }()
	c.apply(c.example("checkout.yaml"))

	c.eventually("three endpoints are ready", time.Minute, func() bool { return len(e.endpoints("ready")) == 3 })

	t.Run("pods are ready when their phase allows it", func(t *testing.T) {
		for _, p := range e.pods() {
			if got := gateOf(&p); got != "True PhaseAllows" {
				t.Errorf("the gate of %s is %q", p.Name, got)
			}
		}
	})
	t.Run("a drain that is announced moves the EndpointSlice", func(t *testing.T) { e.drained(t, k) })
	t.Run("a rollout drains every pod and becomes changes", func(t *testing.T) { e.rolledOut(t, k) })
	t.Run("a lease is held until it is not renewed", func(t *testing.T) {
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		// That of a holder without a clock is left out, and holds up nothing.
		for name, acquired := range map[string]string{"clockless": "1970-01-01T00:00:00.000000Z", "scheduler": now} {
			c.apply(fmt.Sprintf("apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: %s, namespace: shop}\nspec: {holderIdentity: a, leaseDurationSeconds: 2, acquireTime: %q, renewTime: %q}", name, acquired, now))
		}
		e.expect(t, "phase scheduler: lease=a", "phase scheduler: lease ends")
	})
	t.Run("an API server that was killed is watched again", func(t *testing.T) {
		c.api.stop(syscall.SIGKILL)
		c.startAPI()
		victim := e.pods()[0].Name
		c.must(nil, http.MethodDelete, "/api/v1/namespaces/shop/pods/"+victim, "", nil)
		e.expect(t, "phase checkout/"+victim+": pod=terminating", "phase checkout/"+victim+": endpoint checkout ends", "phase checkout/"+victim+": pod ends")
		// It does not know its roles at first, which is nothing to tell people of.
		if log := tail(e.server.log, 1<<20); strings.Contains(log, "level=ERROR") {
			t.Errorf("an error was logged:\n%s", log)
		}
	})
}

// An eddy is our server, as a process, with the rights of its ServiceAccount.
type eddy struct {
	cluster    *realCluster
	binary     string
	kubeconfig string
	contracts  string
	key        string
	server     *process
	url        string
}

// prepare writes a key, and the contract with its public half.
func (e *eddy) prepare() {
	t := e.cluster.t
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	e.key = e.cluster.write("checkout.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	e.contracts = filepath.Join(e.cluster.dir, "contracts")
	if err := os.Mkdir(e.contracts, 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(e.cluster.example("pod-drain.yaml"), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", base64.StdEncoding.EncodeToString(public), 1)
	e.cluster.write("contracts/pod-drain.yaml", text)
}

// args are how the server is started.
func (e *eddy) args(more ...string) []string {
	return append([]string{
		"serve", "--data", filepath.Join(e.cluster.dir, "eddy"), "--web", "127.0.0.1:0", "--grpc", "off", "--http", "127.0.0.1:0",
		"--contracts", e.contracts, "--kubeconfig", e.kubeconfig, "--namespace", "shop", "--log", "debug",
	}, more...)
}

// start starts the server and waits until it watches.
func (e *eddy) start() {
	c := e.cluster
	e.server = c.start("eddy", e.binary, e.args()...)
	address := regexp.MustCompile(`pages and API +(\S+)`)
	c.eventually("eddy watches", time.Minute, func() bool {
		log := tail(e.server.log, 1<<20)
		if found := address.FindStringSubmatch(log); found != nil {
			e.url = found[1]
		}
		return e.url != "" && strings.Contains(log, "kubernetes is watched") && strings.Contains(log, "contract in use")
	})
}

// refused starts the server where it may not do what it needs.
func (e *eddy) refused(t *testing.T) {
	c := e.cluster
	defer c.apply(c.example("rbac.yaml"))
	known := e.kubeconfig
	e.kubeconfig = c.kubeconfig("nobody", "nobodys-token")
	if output, err := exec.CommandContext(t.Context(), e.binary, e.args()...).CombinedOutput(); err == nil || !strings.Contains(string(output), "does not accept the credentials") {
		t.Errorf("eddy serve with a token of nobody: %v\n%s", err, output)
	}
	e.kubeconfig = known
	role := regexp.MustCompile(`(?s)  - apiGroups: \[coordination.k8s.io\].*?\[list, watch\]\n`).ReplaceAllString(c.example("rbac.yaml"), "")
	role = strings.Replace(role, "verbs: [patch]", "verbs: [get]", 1)
	c.apply(role)
	for _, try := range []struct {
		args []string
		want string
	}{
		{nil, "eddy: kubernetes: system:serviceaccount:eddy:eddy may not list leases.coordination.k8s.io, watch leases.coordination.k8s.io, patch pods/status in namespace shop: grant it as examples/kubernetes/rbac.yaml does (docs/kubernetes.md)"},
		{[]string{"--namespace", "eddy"}, "watch pods, list endpointslices.discovery.k8s.io"},
	} {
		output, err := exec.CommandContext(t.Context(), e.binary, e.args(try.args...)...).CombinedOutput()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !strings.Contains(string(output), try.want) {
			t.Errorf("eddy serve ends with %v, want status 2 and %q:\n%s", err, try.want, output)
		}
	}
}

// hook is the command of a preStop hook, with our paths for those of a container.
func (e *eddy) hook(argv []string, env map[string]string, inflight string) *exec.Cmd {
	argv = slices.Clone(argv)
	for i, arg := range argv {
		argv[i] = strings.Replace(arg, "http://127.0.0.1:8080/inflight", inflight, 1)
	}
	cmd := exec.Command(e.binary, argv[1:]...)
	env["EDDY_SERVER"] = e.url
	env["EDDY_KEY"] = strings.Replace(env["EDDY_KEY"], "/etc/eddy/checkout.pem", e.key, 1)
	delete(env, "SSL_CERT_FILE")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// drained announces a drain of a pod that nobody deletes, and deletes it afterwards.
func (e *eddy) drained(t *testing.T, k *kubelet) {
	c := e.cluster
	victim := e.pods()[0].Name
	key := "shop/checkout/" + victim
	announce := exec.CommandContext(t.Context(), e.binary, "phase", "announce", "pod-drain", key, "DRAIN", "--server", e.url, "--key", "checkout-2026a="+e.key)
	if output, err := announce.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	began := time.Now()
	c.eventually("the endpoint is not ready, and not terminating", 20*time.Second, func() bool { return slices.Contains(e.endpoints("not ready"), victim) })
	t.Logf("%s after the announcement the EndpointSlice says not ready", time.Since(began).Round(time.Millisecond))
	for _, p := range e.pods() {
		if want := map[bool]string{true: "False PhaseForbids", false: "True PhaseAllows"}[p.Name == victim]; gateOf(&p) != want {
			t.Errorf("the gate of %s is %q, want %q", p.Name, gateOf(&p), want)
		}
	}
	e.expect(t, "phase checkout/"+victim+": endpoint checkout=not ready", "phase checkout/"+victim+": phase=DRAIN")
	c.must(nil, http.MethodDelete, "/api/v1/namespaces/shop/pods/"+victim, "", nil)
	e.expect(t, "phase checkout/"+victim+": pod=terminating", "phase checkout/"+victim+": endpoint checkout=terminating",
		"phase checkout/"+victim+": phase=SHUTDOWN", "phase checkout/"+victim+": endpoint checkout ends", "phase checkout/"+victim+": pod ends")
	e.hookSucceeded(t, k, victim)
	c.eventually("another pod takes its place", time.Minute, func() bool { return len(e.endpoints("ready")) == 3 })
}

// rolledOut changes the image, and waits until all pods have been replaced.
func (e *eddy) rolledOut(t *testing.T, k *kubelet) {
	c := e.cluster
	before := e.pods()
	c.apply(strings.Replace(c.example("checkout.yaml"), "checkout:1.0.0", "checkout:2.0.0", 1))
	want := []string{"deploy checkout: image checkout=registry.example.com/checkout:2.0.0", "deploy checkout: rollout=in progress", "deploy checkout: rollout ends"}
	for _, p := range before {
		name := "phase checkout/" + p.Name + ": "
		// The endpoint serves until the drain is announced, a moment after the deletion.
		want = append(want, name+"pod=terminating", name+"phase=DRAIN", name+"endpoint checkout=terminating", name+"phase=SHUTDOWN", name+"endpoint checkout ends", name+"pod ends")
	}
	e.expect(t, want...)
	for _, p := range before {
		e.hookSucceeded(t, k, p.Name)
	}
	c.eventually("three endpoints are ready", time.Minute, func() bool { return len(e.endpoints("ready")) == 3 })
}

// hookSucceeded wants that a pod's hook has drained it.
func (e *eddy) hookSucceeded(t *testing.T, k *kubelet, name string) {
	t.Helper()
	h, ok := k.hook(name)
	if !ok || h.err != nil || !strings.Contains(h.output, "SHUTDOWN at epoch 2") {
		t.Errorf("the hook of %s: %v, %v after %s\n%s", name, ok, h.err, h.took, h.output)
		return
	}
	t.Logf("the hook of %s took %s", name, h.took.Round(time.Millisecond))
}

// pods are those that nobody deletes, by name.
func (e *eddy) pods() []corev1.Pod {
	var list corev1.PodList
	e.cluster.must(&list, http.MethodGet, "/api/v1/namespaces/shop/pods", "", nil)
	list.Items = slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	return list.Items
}

// endpoints are the pods whose endpoint is "ready" or "not ready", of those that are
// not terminating.
func (e *eddy) endpoints(want string) []string {
	var list discoveryv1.EndpointSliceList
	e.cluster.must(&list, http.MethodGet, "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector="+discoveryv1.LabelServiceName+"%3Dcheckout", "", nil)
	var names []string
	for _, s := range list.Items {
		for _, x := range s.Endpoints {
			if x.Conditions.Terminating != nil && *x.Conditions.Terminating {
				continue
			}
			if ready := x.Conditions.Ready == nil || *x.Conditions.Ready; ready == (want == "ready") {
				names = append(names, x.TargetRef.Name)
			}
		}
	}
	return names
}

// expect waits until all of the changes were reported. Others may be between them.
func (e *eddy) expect(t *testing.T, want ...string) {
	t.Helper()
	var last []string
	left := want
	defer func() {
		if len(left) > 0 {
			t.Logf("not reported:\n  %s\nof\n  %s", strings.Join(left, "\n  "), strings.Join(last, "\n  "))
		}
	}()
	e.cluster.eventually("the changes are reported", 2*time.Minute, func() bool {
		last = e.changes(t)
		left = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(last, s) })
		return len(left) == 0
	})
}

// changes are all that were reported, by when they came into force.
func (e *eddy) changes(t *testing.T) []string {
	t.Helper()
	response, err := http.Get(e.url + "/api/v1/changes?limit=2000")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Changes []*telemetry.Change }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, change := range answer.Changes {
		all = append(all, text(change))
	}
	return all
}
