package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A Permission is one thing that the API server has to allow.
type Permission struct {
	Verb, Group, Resource, Subresource string
	// Namespace is where it is missing, "" for everywhere. It is set in a Denied.
	Namespace string
}

// Permissions are all that a watcher does in a cluster, with gates or without.
func Permissions(gates bool) []Permission {
	var all []Permission
	for _, r := range []Permission{
		{Group: "", Resource: pods},
		{Group: "discovery.k8s.io", Resource: endpointSlices},
		{Group: "apps", Resource: deployments},
		{Group: "coordination.k8s.io", Resource: leases},
	} {
		for _, verb := range []string{"list", "watch"} {
			r.Verb = verb
			all = append(all, r)
		}
	}
	if gates {
		all = append(all, Permission{Verb: "patch", Resource: pods, Subresource: "status"})
	}
	return all
}

// The resources that are watched.
const (
	pods           = "pods"
	endpointSlices = "endpointslices"
	deployments    = "deployments"
	leases         = "leases"
)

// String is for people: "watch leases.coordination.k8s.io".
func (p Permission) String() string {
	s := p.Verb + " " + p.Resource
	if p.Group != "" {
		s += "." + p.Group
	}
	if p.Subresource != "" {
		s += "/" + p.Subresource
	}
	return s
}

// Check asks the cluster whether it lets this process do what it needs. A *Denied
// says what it does not.
func (w *Watcher) Check(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	var missing []Permission
	for _, p := range Permissions(w.gate != nil) {
		for _, namespace := range w.config.Namespaces {
			ok, err := w.client.allowed(ctx, p, namespace)
			if apierrors.IsUnauthorized(err) {
				return &Denied{Host: w.client.host}
			}
			if err != nil {
				return fmt.Errorf("kubernetes at %s: %w", w.client.host, err)
			}
			if !ok {
				p.Namespace = namespace
				missing = append(missing, p)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Denied{Host: w.client.host, User: w.client.user(ctx), Missing: missing}
}

// grantWith says what to do about a permission that is missing.
const grantWith = "grant it as examples/kubernetes/rbac.yaml does (docs/kubernetes.md)"

// A Denied says what the API server does not allow. If nothing is missing, it does not
// even know who asks.
type Denied struct {
	Host    string
	User    string // who asked, "" if that is not known
	Missing []Permission
}

// Error names everything that is missing, and what to do.
func (d *Denied) Error() string {
	if len(d.Missing) == 0 {
		return fmt.Sprintf("kubernetes: the API server at %s does not accept the credentials: they may have expired, or be of another cluster", d.Host)
	}
	var names, places []string
	for _, p := range d.Missing {
		name, place := p.String(), "namespace "+p.Namespace
		if p.Namespace == "" {
			place = "all namespaces"
		}
		names, places = appendNew(names, name), appendNew(places, place)
	}
	return fmt.Sprintf("kubernetes: %s may not %s in %s: %s", cmp.Or(d.User, "this process"), strings.Join(names, ", "), strings.Join(places, ", "), grantWith)
}

// appendNew appends what is not there yet.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// deniedError says what to do about a refusal, in which the API server says whom it
// refused what.
func deniedError(err error) error {
	if apierrors.IsUnauthorized(err) {
		return fmt.Errorf("the API server does not accept these credentials: %w", err)
	}
	return fmt.Errorf("%w: %s", err, grantWith)
}
