package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// A client speaks to the API server. It knows the few groups that are needed: the
// generated clientset has all of them, and a program that does the same with it is
// 39 MB instead of 26.
type client struct {
	host   string
	groups map[string]rest.Interface // by name, "" for the core
}

// newClient reads a kubeconfig, or what the pod has got.
func newClient(kubeconfig string) (*client, error) {
	config, err := configuration(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "eddy"
	config.QPS, config.Burst = 50, 100 // gates of a rollout are set at once
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	known := runtime.NewScheme()
	var errs []error
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, discoveryv1.AddToScheme, appsv1.AddToScheme, coordinationv1.AddToScheme,
		authorizationv1.AddToScheme, authenticationv1.AddToScheme,
	} {
		errs = append(errs, add(known))
	}
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	transport, err := rest.HTTPClientFor(config)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	c := &client{host: config.Host, groups: make(map[string]rest.Interface)}
	for _, version := range []schema.GroupVersion{
		corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion, appsv1.SchemeGroupVersion, coordinationv1.SchemeGroupVersion,
		authorizationv1.SchemeGroupVersion, authenticationv1.SchemeGroupVersion,
	} {
		if c.groups[version.Group], err = group(*config, version, known, transport); err != nil {
			return nil, fmt.Errorf("kubernetes: %w", err)
		}
	}
	return c, nil
}

// configuration says which cluster, and as whom.
func configuration(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, errors.New("kubernetes: this process does not run in a cluster, where KUBERNETES_SERVICE_HOST would be set: say which one with --kubeconfig FILE")
		}
		if err != nil {
			return nil, fmt.Errorf("kubernetes: ServiceAccount of this pod: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}

// group returns the client of one group.
func group(config rest.Config, version schema.GroupVersion, known *runtime.Scheme, transport *http.Client) (rest.Interface, error) {
	config.GroupVersion = &version
	config.APIPath = "/apis"
	if version.Group == "" {
		config.APIPath = "/api"
	}
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	return rest.RESTClientForConfigAndClient(&config, transport)
}

// listWatch lists and watches a resource.
func (c *client) listWatch(r resource, namespace string) cache.ListerWatcher {
	return cache.NewListWatchFromClient(c.groups[r.group], r.name, namespace, fields.Everything())
}

// asObject says that a value is an object of the API.
func asObject(v any) (runtime.Object, error) {
	object, ok := v.(runtime.Object)
	if !ok {
		return nil, fmt.Errorf("%T is no object of the API", v)
	}
	return object, nil
}

// allowed asks whether this process has a permission.
func (c *client) allowed(ctx context.Context, p Permission, namespace string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: p.Verb, Group: p.Group, Resource: p.Resource, Subresource: p.Subresource,
		},
	}}
	err := c.groups[authorizationv1.GroupName].Post().Resource("selfsubjectaccessreviews").Body(review).Do(ctx).Into(review)
	return review.Status.Allowed, err
}

// user is who the API server takes this process for, "" if it does not say.
func (c *client) user(ctx context.Context) string {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.groups[authenticationv1.GroupName].Post().Resource("selfsubjectreviews").Body(review).Do(ctx).Into(review); err != nil {
		return ""
	}
	return review.Status.UserInfo.Username
}

// applyCondition sets one condition of a pod, by server-side apply, so that those of
// others stay theirs. A pod that has been replaced by one of the same name is left
// alone.
func (c *client) applyCondition(ctx context.Context, k podKey, condition corev1.PodCondition) error {
	type metadata struct {
		Name      string    `json:"name"`
		Namespace string    `json:"namespace"`
		UID       types.UID `json:"uid"`
	}
	type status struct {
		Conditions []corev1.PodCondition `json:"conditions"`
	}
	body, err := json.Marshal(struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Metadata   metadata `json:"metadata"`
		Status     status   `json:"status"`
	}{"v1", "Pod", metadata{k.name, k.namespace, k.uid}, status{[]corev1.PodCondition{condition}}})
	if err != nil {
		return fmt.Errorf("condition of pod %s: %w", k, err)
	}
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	return c.groups[""].Patch(types.ApplyPatchType).Namespace(k.namespace).Resource(pods).Name(k.name).SubResource("status").
		Param("fieldManager", fieldManager).Param("force", "true").Body(body).Do(ctx).Error()
}
