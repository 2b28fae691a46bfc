package condition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.test/eddy/attr"
)

// A Role says what an attribute is for the analysis.
type Role uint8

// The roles. Of an attribute that measures something, a size or an age, ranges of
// numbers are conditions. One that is ignored follows from where the telemetry was
// made and not from a state of the system (a port, a thread, a duration), or
// is told by another condition. An identity names one of very many (a user, a
// message). A symptom follows from a failure. Neither is ever a condition.
const (
	RoleIgnored Role = iota
	RoleCondition
	RoleSymptom
	RoleIdentity
	RoleMeasure
)

// String returns "ignored", "condition", "symptom", "identity" or "measure".
func (r Role) String() string {
	switch r {
	case RoleCondition:
		return "condition"
	case RoleSymptom:
		return "symptom"
	case RoleIdentity:
		return "identity"
	case RoleMeasure:
		return "measure"
	case RoleIgnored:
	}
	return "ignored"
}

// MarshalText writes the role as String does.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *Role) UnmarshalText(text []byte) error {
	for x := RoleIgnored; x <= RoleMeasure; x++ {
		if x.String() == string(text) {
			*r = x
			return nil
		}
	}
	return fmt.Errorf("role %q: want condition, measure, symptom, identity or ignored", text)
}

// A RoleRule gives a role to the attributes that its pattern matches: one name
// ("app.tenant"), or with .* at the end all names below ("app.*").
type RoleRule struct {
	Pattern string `json:"pattern" yaml:"pattern"`
	Role    Role   `json:"role" yaml:"role"`
}

// Roles knows the role of each attribute. A rule of the user goes before Eddy's
// own, an exact name before a pattern, a longer pattern before a shorter one.
// An attribute that no rule names is a condition, unless a word in its name
// says otherwise: what users put on spans themselves is mostly what they think
// matters, and Stamper leaves out those values that turn out to be identities.
// It is safe for concurrent use.
type Roles struct {
	own, builtin table
}

type table struct {
	exact    map[string]Role
	prefixes []RoleRule // the longest first, without the *
}

// NewRoles returns Eddy's roles with the user's rules before them.
func NewRoles(rules ...RoleRule) (*Roles, error) {
	for _, r := range rules {
		name, star := strings.CutSuffix(r.Pattern, ".*")
		if name == "" || strings.ContainsAny(name, "* ") || (!star && strings.HasSuffix(name, ".")) {
			return nil, fmt.Errorf("role pattern %q: want an attribute's name (app.tenant) or a name with .* at its end (app.*)", r.Pattern)
		}
	}
	return &Roles{own: newTable(rules), builtin: newTable(builtinRoles())}, nil
}

func newTable(rules []RoleRule) table {
	t := table{exact: make(map[string]Role)}
	for _, r := range rules {
		if prefix, ok := strings.CutSuffix(r.Pattern, "*"); ok {
			t.prefixes = append(t.prefixes, RoleRule{Pattern: prefix, Role: r.Role})
			continue
		}
		t.exact[attr.Current(r.Pattern)] = r.Role
	}
	slices.SortStableFunc(t.prefixes, func(a, b RoleRule) int { return cmp.Compare(len(b.Pattern), len(a.Pattern)) })
	return t
}

func (t table) of(name string) (Role, bool) {
	if r, ok := t.exact[name]; ok {
		return r, true
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(name, p.Pattern) {
			return p.Role, true
		}
	}
	return RoleIgnored, false
}

// Of returns the role of an attribute, by its current or an older name.
func (r *Roles) Of(key string) Role {
	name := attr.Current(key)
	if role, ok := r.own.of(name); ok {
		return role
	}
	if role, ok := r.builtin.of(name); ok {
		return role
	}
	return guess(name)
}

// builtinRoles is the table of what is known by name. What Stamper reads apart
// from it, because it takes several attributes together or has a name of its
// own, is ignored here: flags, operations, peers, attempts.
func builtinRoles() []RoleRule {
	var rules []RoleRule
	add := func(role Role, patterns ...string) {
		for _, p := range patterns {
			rules = append(rules, RoleRule{Pattern: p, Role: role})
		}
	}
	add(RoleCondition,
		attr.ServiceVersion, attr.ServiceInstanceID, attr.DeploymentEnvironmentName, attr.DeploymentID, attr.DeploymentName,
		attr.CloudRegion, attr.CloudAvailabilityZone, "cloud.provider", "cloud.platform", "cloud.account.id",
		attr.HostName, "host.type", "host.arch", "host.image.name", "host.image.version",
		attr.K8SClusterName, attr.K8SNamespaceName, attr.K8SNodeName, attr.K8SPodName, attr.K8SDeploymentName,
		attr.K8SReplicaSetName, "k8s.statefulset.name", "k8s.daemonset.name", "k8s.job.name", "k8s.cronjob.name",
		"k8s.pod.label.*", "k8s.node.label.*", "k8s.deployment.label.*",
		attr.ContainerImageTags, "container.image.id", "container.runtime",
		attr.ProcessRuntimeVersion, "os.type", "os.version", attr.VCSRefHeadRevision, "webengine.version",
		"faas.version", "faas.coldstart", "faas.trigger",
		attr.NetworkProtocolName, attr.NetworkProtocolVersion, "tls.protocol.version", "tls.cipher", "user_agent.name",
		"user_agent.version", "user_agent.os.name", "browser.platform", "browser.language",
		attr.DBCollectionName, attr.DBOperationName, "db.stored_procedure.name",
		attr.MessagingDestinationPartitionID, attr.MessagingConsumerGroupName, "messaging.destination.subscription.name",
		"gen_ai.request.model", "graphql.operation.type", "graphql.operation.name",
		"cache.*", "geo.country.iso_code", "geo.region.iso_code",
	)
	add(RoleSymptom,
		attr.ErrorType, "error", "error.*", "exception.*", "otel.status_code", "otel.status_description", "otel.status.*",
		attr.HTTPResponseStatusCode, "http.response.*", "http.status_text", attr.RPCStatusCode, "rpc.grpc.*", "grpc.*",
		"rpc.jsonrpc.error_code", "rpc.jsonrpc.error_message", "rpc.connect_rpc.error_code",
		attr.DBResponseStatusCode, "db.response.*", attr.HTTPRequestResendCount, "retry.*",
		attr.MessagingServicebusDeliveries, attr.MessagingPubsubDeliveryAttempt,
		"feature_flag.error.*", "process.exit.*", "gen_ai.response.*", "k8s.container.status.*", "k8s.container.restart_count",
	)
	add(RoleIdentity,
		attr.URLFull, attr.URLPath, attr.URLQuery, "url.fragment", attr.UserAgentOriginal,
		attr.DBQueryText, attr.DBQuerySummary, "db.query.parameter.*", "db.operation.parameter.*", "db.user",
		attr.MessagingMessageID, "messaging.message.*", "messaging.client.id", "messaging.kafka.*", "messaging.client_id",
		attr.HostID, "host.ip", "host.mac", "container.id", "container.name", "container.command*", "cloud.resource_id",
		"user.id", "user.name", "user.email", "user.full_name", "user.hash", "enduser.id", "session.id", "session.previous_id",
		"enduser.pseudo.id", "enduser.scope", "device.id", "client.address", "faas.invocation_id", "faas.instance",
		attr.FeatureFlagContextID, "http.request.header.*", "aws.request_id", "aws.log.*", "gen_ai.conversation.id",
		"tls.client.*", "tls.server.*", "geo.location.*", "geo.postal_code", "geo.locality.name",
	)
	add(RoleIgnored,
		attr.ServiceName, attr.ServiceNamespace, attr.DeploymentStatus, "service.criticality", "telemetry.*", "otel.*",
		attr.HTTPRequestMethod, "http.request.*", attr.HTTPRoute, attr.URLTemplate, attr.URLScheme, "url.*",
		attr.ServerAddress, attr.ServerPort, "client.*", "source.*", "destination.*", "network.*", "net.*",
		attr.ServicePeerName, attr.ServicePeerNamespace,
		attr.RPCMethod, attr.RPCService, attr.RPCSystemName, "rpc.*", "message.*",
		attr.DBSystemName, attr.DBNamespace, "db.*", "messaging.*", "feature_flag.*",
		"process.*", "thread.*", "code.*", "log.*", "os.*", "host.*", "container.*", "k8s.*", "faas.*", "webengine.*",
		"gen_ai.usage.*", "event.*", "span.*", "peer.*", "component", "browser.*", "user_agent.*", "tls.*", "vcs.*", "cicd.*",
		"eddy.*", "internal.span.format", "sampler.*", "sampling.*", "ot.*", "signoz.*", "w3c.*",
	)
	return rules
}

// guess reads the role of an unknown attribute from the words of its name. A
// symptom that is taken for a condition explains every failure, so words that
// may mean one count as one; users whose order.status is a cause say so by a
// rule.
func guess(name string) Role {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == '.' || r == '_' || r == '-' || r == '/' })
	if len(words) == 0 {
		return RoleIgnored
	}
	if slices.Contains(words, "cache") {
		return RoleCondition // hit or miss decides the path
	}
	for _, w := range words {
		switch w {
		case "error", "errors", "err", "exception", "exceptions", "stacktrace", "failure", "failures", "failed", "fail",
			"fault", "success", "succeeded", "successful", "retry", "retries", "attempt", "attempts", "aborted",
			"rejected", "declined", "cancelled", "canceled", "timedout":
			return RoleSymptom
		}
	}
	switch words[len(words)-1] {
	case "bytes", "size", "length", "count", "items", "depth", "load", "amount", "price", "cost", "quantity", "weight", "age":
		if slices.ContainsFunc(words, func(w string) bool { return w == "response" || w == "result" || w == "reply" }) {
			return RoleIgnored // what came back follows from what happened
		}
		return RoleMeasure
	case "status", "outcome", "result", "reason", "cause", "response":
		return RoleSymptom
	case "url", "uri", "path", "query", "sql", "statement", "address", "ip", "email", "mail", "phone", "message", "msg",
		"body", "text", "description", "comment", "title", "uuid", "guid", "hash", "digest", "token", "signature",
		"secret", "password", "username", "fullname", "payload", "header", "headers", "cookie":
		return RoleIdentity
	case "time", "timestamp", "ts", "date", "duration", "latency", "elapsed", "ms", "us", "ns", "seconds", "millis",
		"total", "sum", "offset", "position", "index", "sequence", "seq", "number",
		"port", "pid", "tid", "line", "lineno", "score", "lag", "progress", "percent", "rate", "ratio":
		return RoleIgnored
	}
	return RoleCondition
}

// ofRequest reports whether an attribute is a state of the request as a whole,
// and not of the service that put it on a span: which tenant, which client.
// Services copy such values from each other, so they have no entity.
func ofRequest(name string) bool {
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '.' || r == '_' }) {
		switch word {
		case "tenant", "customer", "user", "account", "org", "organization", "organisation", "client", "device", "browser",
			"geo", "experiment", "cohort", "plan", "tier", "locale", "language", "currency", "country", "market", "channel",
			"segment", "campaign", "partner", "merchant":
			return true
		}
	}
	return false
}

// ofTarget reports whether an attribute is a state of what a span calls, and
// not of the service that calls it.
func ofTarget(name string) bool {
	return strings.HasPrefix(name, "db.") || strings.HasPrefix(name, "messaging.destination.")
}
