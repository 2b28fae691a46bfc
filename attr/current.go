package attr

// Current returns the current name of what older semantic conventions called
// name: of an attribute, a metric or a metric's attribute. A name that is
// current, or that Eddy does not know, is returned as it is.
//
// This is the one table of accepted names; nothing else in Eddy spells an old
// one.
func Current(name string) string {
	switch name {
	case "deployment.environment":
		return DeploymentEnvironmentName
	case "peer.service":
		return ServicePeerName
	case "container.image.tag":
		return ContainerImageTags

	case "http.method":
		return HTTPRequestMethod
	case "http.status_code":
		return HTTPResponseStatusCode
	case "http.resend_count", "http.retry_count":
		return HTTPRequestResendCount
	case "http.url":
		return URLFull
	case "http.target":
		return URLPath
	case "http.scheme":
		return URLScheme
	case "http.user_agent":
		return UserAgentOriginal
	case "http.client_ip":
		return ClientAddress
	case "http.host", "net.peer.name", "net.host.name":
		return ServerAddress
	case "net.peer.port", "net.host.port":
		return ServerPort
	case "net.peer.ip", "net.sock.peer.addr":
		return NetworkPeerAddress
	case "net.sock.peer.port":
		return NetworkPeerPort
	case "net.protocol.name":
		return NetworkProtocolName
	case "net.protocol.version", "http.flavor":
		return NetworkProtocolVersion

	case "db.system":
		return DBSystemName
	case "db.name":
		return DBNamespace
	case "db.sql.table", "db.mongodb.collection", "db.cassandra.table":
		return DBCollectionName
	case "db.operation":
		return DBOperationName
	case "db.statement":
		return DBQueryText
	case "db.client.connections.usage":
		return DBClientConnectionCount
	case "db.client.connections.max":
		return DBClientConnectionMax
	case "pool.name", "db.client.connections.pool.name":
		return DBClientConnectionPoolName
	case "db.client.connections.state":
		return DBClientConnectionState

	case "messaging.destination":
		return MessagingDestinationName
	case "messaging.operation":
		return MessagingOperationType
	case "messaging.kafka.partition", "messaging.kafka.destination.partition":
		return MessagingDestinationPartitionID
	case "messaging.kafka.consumer.group", "messaging.kafka.consumer_group":
		return MessagingConsumerGroupName
	case "messaging.message_id":
		return MessagingMessageID

	case "rpc.system":
		return RPCSystemName
	case "rpc.grpc.status_code", "rpc.response.status_code":
		return RPCStatusCode

	case "feature_flag.variant":
		return FeatureFlagVariant
	case "feature_flag.value":
		return FeatureFlagValue
	case "feature_flag.provider_name":
		return FeatureFlagProviderName
	case "feature_flag.evaluation.reason", "feature_flag.reason":
		return FeatureFlagReason
	case "feature_flag.evaluation.error.message":
		return FeatureFlagErrorMessage
	}
	return name
}
