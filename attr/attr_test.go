package attr_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"example.test/eddy/attr"
)

// pairs is written by hand, apart from the table under test, from the
// changelogs of the conventions.
func pairs() map[string]string {
	return map[string]string{
		"deployment.environment": "deployment.environment.name",
		"peer.service":           "service.peer.name",
		"container.image.tag":    "container.image.tags",

		"http.method":          "http.request.method",
		"http.status_code":     "http.response.status_code",
		"http.resend_count":    "http.request.resend_count",
		"http.retry_count":     "http.request.resend_count",
		"http.url":             "url.full",
		"http.target":          "url.path",
		"http.scheme":          "url.scheme",
		"http.user_agent":      "user_agent.original",
		"http.client_ip":       "client.address",
		"http.host":            "server.address",
		"http.flavor":          "network.protocol.version",
		"net.peer.name":        "server.address",
		"net.host.name":        "server.address",
		"net.peer.port":        "server.port",
		"net.host.port":        "server.port",
		"net.peer.ip":          "network.peer.address",
		"net.sock.peer.addr":   "network.peer.address",
		"net.sock.peer.port":   "network.peer.port",
		"net.protocol.name":    "network.protocol.name",
		"net.protocol.version": "network.protocol.version",

		"db.system":                       "db.system.name",
		"db.name":                         "db.namespace",
		"db.sql.table":                    "db.collection.name",
		"db.mongodb.collection":           "db.collection.name",
		"db.cassandra.table":              "db.collection.name",
		"db.operation":                    "db.operation.name",
		"db.statement":                    "db.query.text",
		"db.client.connections.usage":     "db.client.connection.count",
		"db.client.connections.max":       "db.client.connection.max",
		"pool.name":                       "db.client.connection.pool.name",
		"db.client.connections.pool.name": "db.client.connection.pool.name",
		"db.client.connections.state":     "db.client.connection.state",

		"messaging.destination":                 "messaging.destination.name",
		"messaging.operation":                   "messaging.operation.type",
		"messaging.kafka.partition":             "messaging.destination.partition.id",
		"messaging.kafka.destination.partition": "messaging.destination.partition.id",
		"messaging.kafka.consumer.group":        "messaging.consumer.group.name",
		"messaging.kafka.consumer_group":        "messaging.consumer.group.name",
		"messaging.message_id":                  "messaging.message.id",

		"rpc.system":               "rpc.system.name",
		"rpc.grpc.status_code":     "rpc.status_code",
		"rpc.response.status_code": "rpc.status_code",

		"feature_flag.variant":                  "feature_flag.result.variant",
		"feature_flag.value":                    "feature_flag.result.value",
		"feature_flag.provider_name":            "feature_flag.provider.name",
		"feature_flag.evaluation.reason":        "feature_flag.result.reason",
		"feature_flag.reason":                   "feature_flag.result.reason",
		"feature_flag.evaluation.error.message": "feature_flag.error.message",
	}
}

func TestOldNamesHaveACurrentName(t *testing.T) {
	for old, want := range pairs() {
		t.Run(old, func(t *testing.T) {
			if got := attr.Current(old); got != want {
				t.Errorf("Current(%q) = %q, want %q", old, got, want)
			}
			if again := attr.Current(want); again != want {
				t.Errorf("Current(%q) = %q, but a current name stays as it is", want, again)
			}
		})
	}
}

func TestNamesThatAreNotOldStayAsTheyAre(t *testing.T) {
	for _, name := range []string{"", "http.route", "app.tenant", "service.name", "HTTP.METHOD"} {
		if got := attr.Current(name); got != name {
			t.Errorf("Current(%q) = %q, want it unchanged", name, got)
		}
	}
}

// Every old name of the table must be in pairs, so that no pair goes untested.
func TestEveryPairOfTheTableIsTested(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "current.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want, seen := pairs(), 0
	ast.Inspect(file, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, e := range clause.List {
			name, err := strconv.Unquote(e.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if _, ok := want[name]; !ok {
				t.Errorf("current.go maps %q, which no pair in this test covers", name)
			}
		}
		return true
	})
	if seen != len(want) {
		t.Errorf("current.go has %d old names, this test has %d", seen, len(want))
	}
}

func TestFlagEventsAreKnownByEveryName(t *testing.T) {
	for name, want := range map[string]bool{
		"feature_flag.evaluation": true, "feature_flag": true, "feature_flag.evaluate": true,
		"exception": false, "": false,
	} {
		if got := attr.IsFlagEvent(name); got != want {
			t.Errorf("IsFlagEvent(%q) = %v, want %v", name, got, want)
		}
	}
}
