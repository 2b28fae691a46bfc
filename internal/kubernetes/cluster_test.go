package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"example.test/eddy/internal/kubernetes"
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

func newCluster(t testing.TB) *cluster {
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
func (c *cluster) kubeconfig(t testing.TB) string {
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
	if c.denied["authenticate"] {
		write(w, http.StatusUnauthorized, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonUnauthorized, Code: http.StatusUnauthorized, Message: "Unauthorized"})
		return
	}
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
