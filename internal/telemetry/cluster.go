package telemetry

// What a cluster reports of the phases of services that announce none themselves.
// These are changes of kind ChangePhase; package kubernetes sends them.
const (
	// DimensionEndpoint begins the dimension of an instance as a Kubernetes Service
	// routes to it; the name of the Service follows. Its values are the Endpoint
	// constants. It ends when the instance is no endpoint any more.
	DimensionEndpoint = "endpoint "
	// DimensionPod is that of an instance which is being deleted: its value is
	// PodTerminating from when that was asked for, and it ends with the pod.
	DimensionPod = "pod"
	// DimensionLease is that of a lease, whose name is the entity; its value is who
	// holds it. It ends when nobody does.
	DimensionLease = "lease"
)

// The values of an endpoint, by the conditions in its EndpointSlice.
const (
	EndpointReady       = "ready"                // traffic is routed to it
	EndpointNotReady    = "not ready"            // none is
	EndpointServing     = "terminating, serving" // none is unless no other endpoint is ready
	EndpointTerminating = "terminating"          // none is, and it does not serve any more
	PodTerminating      = "terminating"
)
