package kubernetes_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// A realCluster is etcd, kube-apiserver and kube-controller-manager on loopback, with
// RBAC. It has no scheduler and no kubelet: see kubelet.
type realCluster struct {
	t             *testing.T
	dir, binaries string
	url, etcd     string
	http          *http.Client
	api           *process
}

const adminToken = "admin-of-a-test"

// startRealCluster starts a cluster that ends with the test.
func startRealCluster(t *testing.T, binaries string) *realCluster {
	t.Helper()
	c := &realCluster{
		t: t, dir: t.TempDir(), binaries: binaries, url: "https://127.0.0.1:" + freePort(t), etcd: "http://127.0.0.1:" + freePort(t),
		http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}, // it makes its own certificate
	}
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		t.Fatalf("%v: install it, on Debian with apt-get install etcd-server", err)
	}
	peers := "http://127.0.0.1:" + freePort(t)
	c.start("etcd", etcd, "--data-dir", filepath.Join(c.dir, "data"), "--listen-client-urls", c.etcd, "--advertise-client-urls", c.etcd,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.write("sa.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	c.write("tokens", adminToken+",admin,1,system:masters\n")
	c.startAPI()
	c.start("kube-controller-manager", filepath.Join(binaries, "kube-controller-manager"), "--kubeconfig", c.kubeconfig("admin", adminToken), "--leader-elect=false",
		"--bind-address=127.0.0.1", "--secure-port="+freePort(t), "--cert-dir", filepath.Join(c.dir, "kcm"),
		"--controllers=endpointslice-controller,deployment-controller,replicaset-controller")
	return c
}

// startAPI starts the API server, and waits until it is ready.
func (c *realCluster) startAPI() {
	c.t.Helper()
	port := c.url[strings.LastIndexByte(c.url, ':')+1:]
	c.api = c.start("kube-apiserver", filepath.Join(c.binaries, "kube-apiserver"), "--etcd-servers", c.etcd, "--bind-address=127.0.0.1", "--secure-port="+port,
		"--cert-dir", filepath.Join(c.dir, "api"), "--service-cluster-ip-range=10.0.0.0/24", "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", filepath.Join(c.dir, "sa.key"),
		"--service-account-signing-key-file", filepath.Join(c.dir, "sa.key"), "--token-auth-file", filepath.Join(c.dir, "tokens"),
		"--disable-admission-plugins=ServiceAccount")
	c.eventually("the API server is ready", time.Minute, func() bool {
		status, _, err := c.ask(http.MethodGet, "/readyz", "", nil)
		return err == nil && status == http.StatusOK
	})
}

// write writes a file and returns its name.
func (c *realCluster) write(name, text string) string {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

// kubeconfig is a file for whoever has a token.
func (c *realCluster) kubeconfig(name, token string) string {
	c.t.Helper()
	return c.write(name+".kubeconfig", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: %q}}]}`, c.url, token))
}

// ask sends a request as the administrator.
func (c *realCluster) ask(method, path, contentType string, body any) (status int, answer []byte, err error) {
	var sent []byte
	if body != nil {
		if sent, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// must asks, wants a good answer, and decodes it into v unless that is nil.
func (c *realCluster) must(v any, method, path, contentType string, body any) {
	c.t.Helper()
	status, answer, err := c.ask(method, path, contentType, body)
	if err != nil || status >= 300 {
		c.t.Fatalf("%s %s: %d %v\n%s", method, path, status, err, answer)
	}
	if v != nil {
		if err := json.Unmarshal(answer, v); err != nil {
			c.t.Fatalf("%s %s: %v\n%s", method, path, err, answer)
		}
	}
}

// paths are where objects of a kind are, with the namespace to be filled in.
func paths(kind string) string {
	return map[string]string{
		"Namespace": "/api/v1/namespaces", "Node": "/api/v1/nodes", "ServiceAccount": "/api/v1/namespaces/NS/serviceaccounts", "Service": "/api/v1/namespaces/NS/services",
		"ConfigMap": "/api/v1/namespaces/NS/configmaps", "PersistentVolumeClaim": "/api/v1/namespaces/NS/persistentvolumeclaims",
		"Deployment": "/apis/apps/v1/namespaces/NS/deployments", "Lease": "/apis/coordination.k8s.io/v1/namespaces/NS/leases",
		"Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles", "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings",
		"ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles", "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
	}[kind]
}

// apply applies the objects of YAML. The API server checks every field of them.
func (c *realCluster) apply(text string) {
	c.t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			c.t.Fatal(err)
		}
		asJSON, err := utilyaml.ToJSON(document)
		if err != nil {
			c.t.Fatal(err)
		}
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := json.Unmarshal(asJSON, &o); err != nil {
			c.t.Fatal(err)
		}
		path := strings.Replace(paths(o.Kind), "NS", o.Metadata.Namespace, 1)
		if path == "" {
			c.t.Fatalf("no path is known of kind %q", o.Kind)
		}
		c.must(nil, http.MethodPatch, path+"/"+o.Metadata.Name+"?fieldManager=test&force=true&fieldValidation=Strict", "application/apply-patch+yaml", json.RawMessage(asJSON))
	}
}

// example is a file of the examples.
func (c *realCluster) example(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// eventually waits until a condition holds.
func (c *realCluster) eventually(what string, limit time.Duration, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(limit); !holds(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("not after %s: %s", limit, what)
		}
	}
}

// A process is one that the test has started.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// start starts a program that ends with the test. What it writes is shown if the test
// fails.
func (c *realCluster) start(name, binary string, args ...string) *process {
	c.t.Helper()
	p := &process{cmd: exec.Command(binary, args...), log: filepath.Join(c.dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = errors.Join(p.cmd.Wait(), log.Close()) // how it ended is what the test is about, or in its log
		close(p.done)
	}()
	c.t.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if c.t.Failed() {
			c.t.Logf("%s:\n%s", name, tail(p.log, 2000))
		}
	})
	return p
}

// stop ends a process, and waits for that.
func (p *process) stop(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// tail is the end of a file.
func tail(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-n):])
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
