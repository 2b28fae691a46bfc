package kubernetes_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/telemetry"
)

func TestWhatTheClusterDoesNotAllowIsNamed(t *testing.T) {
	c := newCluster(t)
	c.deny("watch leases", true)
	c.deny("list endpointslices", true)
	c.deny("watch endpointslices", true)
	w, err := kubernetes.New(kubernetes.Config{Kubeconfig: c.kubeconfig(t), Namespaces: []string{"shop", "till"}, Report: func(*telemetry.Change) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	const want = "kubernetes: system:serviceaccount:eddy:eddy may not list endpointslices.discovery.k8s.io, watch endpointslices.discovery.k8s.io, " +
		"watch leases.coordination.k8s.io in namespace shop, namespace till: grant it as examples/kubernetes/rbac.yaml does (docs/kubernetes.md)"
	err = w.Check(t.Context())
	if _, denied := errors.AsType[*kubernetes.Denied](err); !denied || err.Error() != want {
		t.Errorf("the check says\n  %v\nwant\n  %s", err, want)
	}
	c.deny("authenticate", true)
	err = w.Check(t.Context())
	if _, denied := errors.AsType[*kubernetes.Denied](err); !denied || !strings.Contains(err.Error(), c.server.URL+" does not accept the credentials") {
		t.Errorf("with other credentials: %v", err)
	}
	c.server.Close()
	if err := w.Check(t.Context()); err == nil || !strings.Contains(err.Error(), c.server.URL) {
		t.Errorf("a cluster that does not answer: %v; want an error that names it", err)
	}
}

// A permission may be taken away while the watcher runs, and given back.
func TestAWatchThatIsRefusedIsLoggedAndTriedAgain(t *testing.T) {
	t.Parallel() // it waits for most of its time
	c := newCluster(t)
	p := newPod("checkout-7f-a")
	c.put("pods", p)
	w := begin(t, c, kubernetes.Config{})
	for _, verb := range []string{"list", "watch"} {
		c.deny(verb+" endpointslices", true)
	}
	c.breakStreams()
	eventually(t, "the refusal is logged", func() bool {
		return strings.Contains(w.log.String(), `cannot watch: grant it as examples/kubernetes/rbac.yaml does`) || strings.Contains(w.log.String(), `cannot list: grant it as examples/kubernetes/rbac.yaml does`)
	})
	c.put("endpointslices", newSlice("s1", "checkout", endpoint(p, "")))
	for _, verb := range []string{"list", "watch"} {
		c.deny(verb+" endpointslices", false)
	}
	w.expect(t, "phase checkout/checkout-7f-a: endpoint checkout=not ready")
}

func TestAClusterThatIsNotNamedIsAskedFor(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	report := func(*telemetry.Change) error { return nil }
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for kubeconfig, want := range map[string]string{
		"":                 "say which one with --kubeconfig FILE",
		"/none/kubeconfig": "kubeconfig /none/kubeconfig: stat /none/kubeconfig: no such file or directory",
		broken:             "kubeconfig " + broken,
	} {
		if _, err := kubernetes.New(kubernetes.Config{Kubeconfig: kubeconfig, Report: report}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("kubeconfig %q: %v, want %q", kubeconfig, err, want)
		}
	}
}
