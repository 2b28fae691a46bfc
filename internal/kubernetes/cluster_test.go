package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/telemetry"
)

// A cluster is as much of an API server as the watcher asks: lists and watches of
// what a test puts there, reviews, and patches of a pod's status. That the real one
// answers like this is for "make test-k8s" to say.
type cluster struct {
	server *httptest.Server

	mu      sync.Mutex
	version int
	objects map[string]metav1.Object // by resource/namespace/name
	denied  map[string]bool          // "watch leases"
	streams map[chan event]string    // the resource that each watches
	patches []string
}

type event struct {
	Type   string `json:"type"`
	Object any    `json:"object"`
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{objects: make(map[string]metav1.Object), denied: make(map[string]bool), streams: make(map[chan event]string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/{resource}", c.get)
	mux.HandleFunc("GET /apis/{group}/v1/{resource}", c.get)
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/{resource}", c.get)
	mux.HandleFunc("GET /apis/{group}/v1/namespaces/{namespace}/{resource}", c.get)
	mux.HandleFunc("PATCH /api/v1/namespaces/{namespace}/pods/{name}/status", c.patch)
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", c.review)
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/selfsubjectreviews", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusCreated, map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
			"status": map[string]any{"userInfo": map[string]any{"username": "system:serviceaccount:eddy:eddy"}},
		})
	})
	c.server = httptest.NewServer(mux)
	t.Cleanup(func() { c.server.CloseClientConnections(); c.server.Close() })
	return c
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left has nobody to tell
}

// kubeconfig names the cluster.
func (c *cluster) kubeconfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {token: t}}]}`, c.server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// put makes an object as it is given, or replaces it.
func (c *cluster) put(resource string, o metav1.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := resource + "/" + o.GetNamespace() + "/" + o.GetName()
	what := "ADDED"
	if c.objects[key] != nil {
		what = "MODIFIED"
	}
	c.version++
	o.SetResourceVersion(strconv.Itoa(c.version))
	c.objects[key] = o
	c.tell(resource, event{what, o})
}

// drop deletes an object.
func (c *cluster) drop(resource string, o metav1.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, resource+"/"+o.GetNamespace()+"/"+o.GetName())
	c.version++
	o.SetResourceVersion(strconv.Itoa(c.version))
	c.tell(resource, event{"DELETED", o})
}

func (c *cluster) tell(resource string, e event) {
	data, err := json.Marshal(e.Object) // as it is now
	if err != nil {
		panic(err)
	}
	e.Object = json.RawMessage(data)
	for stream, of := range c.streams {
		if of == resource {
			stream <- e
		}
	}
}

// breakStreams ends all watches.
func (c *cluster) breakStreams() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for stream := range c.streams {
		close(stream)
		delete(c.streams, stream)
	}
}

// deny refuses a verb from now on, or allows it again.
func (c *cluster) deny(what string, denied bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[what] = denied
}

func (c *cluster) get(w http.ResponseWriter, r *http.Request) {
	resource, watch := r.PathValue("resource"), r.URL.Query().Get("watch") != ""
	verb := map[bool]string{true: "watch", false: "list"}[watch]
	c.mu.Lock()
	if c.denied[verb+" "+resource] {
		c.mu.Unlock()
		write(w, http.StatusForbidden, metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden,
			Message: resource + ` is forbidden: User "system:serviceaccount:eddy:eddy" cannot ` + verb,
		})
		return
	}
	var items []metav1.Object
	for key, o := range c.objects {
		if strings.HasPrefix(key, resource+"/"+r.PathValue("namespace")) {
			items = append(items, o)
		}
	}
	version := strconv.Itoa(c.version)
	if !watch {
		defer c.mu.Unlock()
		write(w, http.StatusOK, map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]string{"resourceVersion": version}, "items": append([]metav1.Object{}, items...)})
		return
	}
	stream := make(chan event, 10_000)
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, o := range items {
			stream <- event{"ADDED", o}
		}
		end := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: apiVersions[resource], Kind: kinds[resource]}}
		end.ResourceVersion, end.Annotations = version, map[string]string{metav1.InitialEventsAnnotationKey: "true"}
		stream <- event{"BOOKMARK", map[string]any{"apiVersion": end.APIVersion, "kind": end.Kind, "metadata": end.ObjectMeta}}
	}
	c.streams[stream] = resource
	c.mu.Unlock()
	defer func() { c.mu.Lock(); delete(c.streams, stream); c.mu.Unlock() }()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		w.(http.Flusher).Flush()
		select {
		case e, ok := <-stream:
			if !ok || json.NewEncoder(w).Encode(e) != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

var (
	apiVersions = map[string]string{"pods": "v1", "endpointslices": "discovery.k8s.io/v1", "deployments": "apps/v1", "leases": "coordination.k8s.io/v1"}
	kinds       = map[string]string{"pods": "Pod", "endpointslices": "EndpointSlice", "deployments": "Deployment", "leases": "Lease"}
)

// patch applies a condition to a pod.
func (c *cluster) patch(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var sent corev1.Pod
	if err := json.Unmarshal(body, &sent); err != nil {
		write(w, http.StatusBadRequest, err.Error())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied["patch pods"] {
		write(w, http.StatusForbidden, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden, Message: "pods is forbidden"})
		return
	}
	have, ok := c.objects["pods/"+sent.Namespace+"/"+sent.Name].(*corev1.Pod)
	if !ok || have.UID != sent.UID || r.Header.Get("Content-Type") != "application/apply-patch+yaml" || r.URL.Query().Get("fieldManager") != "eddy-phase" {
		write(w, http.StatusConflict, metav1.Status{Status: "Failure", Reason: metav1.StatusReasonConflict, Code: http.StatusConflict})
		return
	}
	next := have.DeepCopy()
	for _, condition := range sent.Status.Conditions {
		next.Status.Conditions = slices.DeleteFunc(next.Status.Conditions, func(x corev1.PodCondition) bool { return x.Type == condition.Type })
		next.Status.Conditions = append(next.Status.Conditions, condition)
		c.patches = append(c.patches, fmt.Sprintf("%s %s=%s %s", sent.Name, condition.Type, condition.Status, condition.Reason))
	}
	c.version++
	next.ResourceVersion = strconv.Itoa(c.version)
	c.objects["pods/"+next.Namespace+"/"+next.Name] = next
	c.tell("pods", event{"MODIFIED", next})
	write(w, http.StatusOK, next)
}

// review answers whether something is allowed.
func (c *cluster) review(w http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SelfSubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		write(w, http.StatusBadRequest, err.Error())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := review.Spec.ResourceAttributes
	review.Status.Allowed = !c.denied[asked.Verb+" "+asked.Resource]
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	write(w, http.StatusCreated, review)
}

// condition is what the gate has written of a pod, "" if nothing.
func (c *cluster) condition(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.objects["pods/shop/"+name].(*corev1.Pod)
	if !ok {
		return ""
	}
	for _, condition := range p.Status.Conditions {
		if condition.Type == kubernetes.GateCondition {
			return fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message)
		}
	}
	return ""
}

// wait is how long a test waits for what has to come. It is long, since machines are
// busy, and passing tests do not use it up.
const wait = 20 * time.Second

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wait); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after %s: %s", wait, what)
		}
	}
}

// A watch is a watcher that runs, and what it has reported.
type watch struct {
	changes chan *telemetry.Change
	log     *lines
}

// lines are what was logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// begin watches a cluster until the test ends, and returns when it is watched.
func begin(t *testing.T, c *cluster, config kubernetes.Config) *watch {
	t.Helper()
	w := &watch{changes: make(chan *telemetry.Change, 10_000), log: &lines{}}
	config.Kubeconfig = c.kubeconfig(t)
	config.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if config.Report == nil {
		config.Report = func(change *telemetry.Change) error { w.changes <- change; return nil }
	}
	watcher, err := kubernetes.New(config)
	if err != nil {
		t.Fatal(err)
	}
	run(t, watcher)
	eventually(t, "kubernetes is watched", func() bool { return strings.Contains(w.log.String(), "kubernetes is watched") })
	return w
}

func run(t *testing.T, w *kubernetes.Watcher) {
	t.Helper()
	ctx, stop := contextOf(t)
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
}

// expect waits for the next changes, in any order, each as "entity/instance dimension=value".
func (w *watch) expect(t *testing.T, want ...string) []*telemetry.Change {
	t.Helper()
	var got []string
	var all []*telemetry.Change
	for range want {
		select {
		case c := <-w.changes:
			got, all = append(got, text(c)), append(all, c)
		case <-time.After(wait):
			t.Fatalf("after %s: %q, want %q; log:\n%s", wait, got, want, w.log)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("reported\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return all
}

func text(c *telemetry.Change) string {
	name := c.Entity
	if c.Instance != "" {
		name += "/" + c.Instance
	}
	if c.Ends {
		return fmt.Sprintf("%s %s: %s ends", c.Kind, name, c.Dimension)
	}
	return fmt.Sprintf("%s %s: %s=%s", c.Kind, name, c.Dimension, c.Value)
}
