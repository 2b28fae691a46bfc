// Package attr names the attributes that services emit and Eddy reads.
//
// The names are those of OpenTelemetry's semantic conventions, and eddy.* where
// the conventions have none. Eddy accepts names of older conventions on input
// (Current maps them) and writes only the current ones. The package imports
// nothing, so that services may use it without taking on Eddy.
package attr

// Resource attributes: who emits.
const (
	ServiceName       = "service.name"
	ServiceNamespace  = "service.namespace"
	ServiceVersion    = "service.version"
	ServiceInstanceID = "service.instance.id"

	DeploymentEnvironmentName = "deployment.environment.name"
	DeploymentID              = "deployment.id"
	DeploymentName            = "deployment.name"
	DeploymentStatus          = "deployment.status"

	CloudRegion           = "cloud.region"
	CloudAvailabilityZone = "cloud.availability_zone"

	HostName = "host.name"
	HostID   = "host.id"

	K8SClusterName    = "k8s.cluster.name"
	K8SNamespaceName  = "k8s.namespace.name"
	K8SNodeName       = "k8s.node.name"
	K8SPodName        = "k8s.pod.name"
	K8SPodUID         = "k8s.pod.uid"
	K8SDeploymentName = "k8s.deployment.name"
	K8SReplicaSetName = "k8s.replicaset.name"

	ContainerImageTags    = "container.image.tags"
	ProcessRuntimeVersion = "process.runtime.version"
	VCSRefHeadRevision    = "vcs.ref.head.revision"
)

// Attributes of HTTP and of the network.
const (
	HTTPRequestMethod      = "http.request.method"
	HTTPResponseStatusCode = "http.response.status_code"
	HTTPRoute              = "http.route"
	HTTPRequestResendCount = "http.request.resend_count"
	URLFull                = "url.full"
	URLPath                = "url.path"
	URLQuery               = "url.query"
	URLScheme              = "url.scheme"
	URLTemplate            = "url.template"
	ServerAddress          = "server.address"
	ServerPort             = "server.port"
	ClientAddress          = "client.address"
	NetworkPeerAddress     = "network.peer.address"
	NetworkPeerPort        = "network.peer.port"
	NetworkProtocolName    = "network.protocol.name"
	NetworkProtocolVersion = "network.protocol.version"
	UserAgentOriginal      = "user_agent.original"
	ServicePeerName        = "service.peer.name"
	ServicePeerNamespace   = "service.peer.namespace"
)

// Attributes of databases, and the metrics of their connection pools.
const (
	DBSystemName         = "db.system.name"
	DBNamespace          = "db.namespace"
	DBCollectionName     = "db.collection.name"
	DBOperationName      = "db.operation.name"
	DBQueryText          = "db.query.text"
	DBQuerySummary       = "db.query.summary"
	DBResponseStatusCode = "db.response.status_code"

	DBClientConnectionCount    = "db.client.connection.count"
	DBClientConnectionMax      = "db.client.connection.max"
	DBClientConnectionState    = "db.client.connection.state"
	DBClientConnectionPoolName = "db.client.connection.pool.name"
)

// Attributes of messaging.
const (
	MessagingSystem                 = "messaging.system"
	MessagingOperationName          = "messaging.operation.name"
	MessagingOperationType          = "messaging.operation.type"
	MessagingDestinationName        = "messaging.destination.name"
	MessagingDestinationTemplate    = "messaging.destination.template"
	MessagingDestinationPartitionID = "messaging.destination.partition.id"
	MessagingConsumerGroupName      = "messaging.consumer.group.name"
	MessagingMessageID              = "messaging.message.id"
	MessagingServicebusDeliveries   = "messaging.servicebus.message.delivery_count"
	MessagingPubsubDeliveryAttempt  = "messaging.gcp_pubsub.message.delivery_attempt"
)

// Attributes of remote procedure calls. RPCService has no current name: newer
// instrumentations put it into RPCMethod.
const (
	RPCSystemName = "rpc.system.name"
	RPCMethod     = "rpc.method"
	RPCService    = "rpc.service"
	RPCStatusCode = "rpc.status_code"
)

// Attributes of errors.
const (
	ErrorType           = "error.type"
	ExceptionType       = "exception.type"
	ExceptionMessage    = "exception.message"
	ExceptionStacktrace = "exception.stacktrace"
)

// Attributes of feature flags, and the names of the events that carry them:
// a log event in current conventions, a span event in older ones.
const (
	FeatureFlagKey           = "feature_flag.key"
	FeatureFlagVariant       = "feature_flag.result.variant"
	FeatureFlagValue         = "feature_flag.result.value"
	FeatureFlagReason        = "feature_flag.result.reason"
	FeatureFlagProviderName  = "feature_flag.provider.name"
	FeatureFlagContextID     = "feature_flag.context.id"
	FeatureFlagSetID         = "feature_flag.set.id"
	FeatureFlagVersion       = "feature_flag.version"
	FeatureFlagErrorMessage  = "feature_flag.error.message"
	EventFeatureFlag         = "feature_flag.evaluation"
	EventFeatureFlagOlder    = "feature_flag"
	EventException           = "exception"
	EventName                = "event.name"
	eventFeatureFlagEvaluate = "feature_flag.evaluate"
)

// Names that Eddy defines. A change may be sent as a log record with the event
// name EventChange and the attributes eddy.change.*; a phase announcement as a
// log record with EventPhase and eddy.phase.*.
const (
	EventChange     = "eddy.change"
	ChangeID        = "eddy.change.id"
	ChangeKind      = "eddy.change.kind"
	ChangeEntity    = "eddy.change.entity"
	ChangeInstance  = "eddy.change.instance"
	ChangeDimension = "eddy.change.dimension"
	ChangeValue     = "eddy.change.value"
	ChangePrevious  = "eddy.change.previous"
	ChangeEnds      = "eddy.change.ends"
	ChangeSource    = "eddy.change.source"
	ChangeActor     = "eddy.change.actor"
	ChangeSummary   = "eddy.change.summary"
	ChangeURL       = "eddy.change.url"

	EventPhase   = "eddy.phase"
	PhaseName    = "eddy.phase.name"
	PhaseEpoch   = "eddy.phase.epoch"
	PhaseSubject = "eddy.phase.subject"
	PhaseRole    = "eddy.phase.role"
	PhaseReason  = "eddy.phase.reason"
)

// What the two ends of an interaction say about phases: on their spans, and as
// labels of the metrics below, which never carry a subject or an epoch.
const (
	PhaseContract       = "eddy.phase.contract"
	PhaseAction         = "eddy.phase.action"
	PhaseVerdict        = "eddy.phase.verdict"
	PhaseActual         = "eddy.phase.actual.name"
	PhaseActualEpoch    = "eddy.phase.actual.epoch"
	PhaseActualSince    = "eddy.phase.actual.since_ms"
	PhaseBelieved       = "eddy.phase.believed.name"
	PhaseBelievedEpoch  = "eddy.phase.believed.epoch"
	PhaseBelievedAge    = "eddy.phase.believed.age_ms"
	PhaseBelievedSource = "eddy.phase.believed.source" // header, channel or none
	PhasePanic          = "eddy.phase.panic"
	PhaseLate           = "eddy.phase.late"
	PhaseCause          = "eddy.phase.cause" // acks, bound or none
	PhaseFrom           = "eddy.phase.from"
	PhaseTo             = "eddy.phase.to"
	PhaseRegistered     = "eddy.phase.registered"
	PhaseKeyIDs         = "eddy.phase.key_ids"
	PhaseCode           = "eddy.phase.code" // why an announcement was refused
	PhaseAttempt        = "eddy.phase.attempt"
	PhaseOutcome        = "eddy.phase.outcome" // asked, waiting, gave_up or settled
	PhaseBackoff        = "eddy.phase.backoff_ms"
	PhaseCount          = "eddy.phase.count"
	PhaseHeld           = "eddy.phase.held"
	PhaseFlip           = "eddy.phase.flip"
	AlertName           = "alert.name"
	IncidentID          = "incident.id"
	ConsumerID          = "eddy.consumer.id"

	MetricPhaseInteractions = "eddy.phase.interactions"
	MetricPhaseExpired      = "eddy.phase.beliefs.expired"
	MetricPhasePropagation  = "eddy.phase.propagation"
	MetricFenceRejected     = "eddy.fence.rejected"
)

// Events about phases, sent as log records with these names.
const (
	EventPhaseAnnounced = "eddy.phase.announced"
	EventPhaseEnforced  = "eddy.phase.enforced"
	EventPhaseObserved  = "eddy.phase.observed"
	EventPhaseExpired   = "eddy.phase.expired"
	EventPhaseAcked     = "eddy.phase.acked"
	EventPhaseRejected  = "eddy.phase.rejected"
	EventPhaseReconcile = "eddy.phase.reconcile"
	EventPhaseFlap      = "eddy.phase.flap"
	EventPhasePaged     = "eddy.phase.paged"
)

// What a span says of something that it could not write or read, with the
// programs, or versions of the format, on both sides. Its error.type is
// ErrorTypeSchema.
const (
	SchemaReaderVersion = "eddy.schema.reader.version"
	SchemaWriterVersion = "eddy.schema.writer.version"
	SchemaDirection     = "eddy.schema.direction" // read or write
	ErrorTypeSchema     = "schema"
)

// What a span says about the job that it does.
const (
	JobID        = "eddy.job.id"
	JobAttempt   = "eddy.job.attempt"
	JobOutcome   = "eddy.job.outcome"
	JobCommitted = "committed"
	JobRejected  = "rejected" // a fence refused it
	JobFailed    = "failed"
)

// What a resource says about the fencing token of a write, on the span of that
// write.
const (
	FenceSubject  = "eddy.fence.subject"
	FenceToken    = "eddy.fence.token"
	FenceMax      = "eddy.fence.max"
	FenceVerdict  = "eddy.fence.verdict"
	FenceAccepted = "accepted"
	FenceStale    = "stale"
	FenceUnfenced = "unfenced"
)

// IsFlagEvent reports whether an event of this name carries the evaluation of
// a feature flag, in current or older conventions.
func IsFlagEvent(name string) bool {
	return name == EventFeatureFlag || name == EventFeatureFlagOlder || name == eventFeatureFlagEvaluate
}
