package condition_test

import (
	"strings"
	"testing"

	"example.test/eddy/internal/condition"
)

func TestRolesAreKnownByName(t *testing.T) {
	roles, err := condition.NewRoles()
	if err != nil {
		t.Fatal(err)
	}
	for role, keys := range map[condition.Role]string{
		condition.RoleCondition: "service.version deployment.environment.name deployment.environment cloud.availability_zone k8s.node.name " +
			"k8s.pod.name k8s.pod.label.track container.image.tag faas.coldstart db.sql.table messaging.kafka.partition app.tenant " +
			"customer.tier cache.hit app.cache.result network.protocol.version user.tier payment.method tenant.id",
		condition.RoleSymptom: "http.response.status_code http.status_code error error.type exception.type exception.stacktrace " +
			"otel.status_code rpc.grpc.status_code rpc.status_code db.response.status_code db.response.returned_rows " +
			"http.request.resend_count order.status app.payment.success retry.count feature_flag.error.message app.error_code",
		condition.RoleIdentity: "url.full http.url http.target db.statement user.id enduser.id session.id messaging.message.id app.job.uuid " +
			"messaging.kafka.offset host.id container.id user_agent.original app.email http.request.header.accept",
		condition.RoleIgnored: "telemetry.sdk.language process.pid thread.id code.lineno net.peer.port http.request.method http.route " +
			"server.address service.name k8s.pod.uid k8s.pod.start_time app.duration app.response.bytes http.request.body.size otel.scope.name host.description",
		condition.RoleMeasure: "cart.items.count order.bytes auth.token.age app.queue.depth",
	} {
		for key := range strings.FieldsSeq(keys) {
			if got := roles.Of(key); got != role {
				t.Errorf("Of(%q) = %v, want %v", key, got, role)
			}
		}
	}
}

func TestUsersRulesGoBeforeEddysOwn(t *testing.T) {
	roles, err := condition.NewRoles(
		condition.RoleRule{Pattern: "app.*", Role: condition.RoleIgnored},
		condition.RoleRule{Pattern: "app.order.*", Role: condition.RoleCondition},
		condition.RoleRule{Pattern: "app.order.id", Role: condition.RoleIdentity},
		condition.RoleRule{Pattern: "http.method", Role: condition.RoleCondition},
	)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]condition.Role{
		"app.tenant": condition.RoleIgnored, "app.order.status": condition.RoleCondition,
		"app.order.id": condition.RoleIdentity, "http.request.method": condition.RoleCondition,
		"http.status_code": condition.RoleSymptom,
	} {
		if got := roles.Of(key); got != want {
			t.Errorf("Of(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestRulesThatMatchNothingAreRefused(t *testing.T) {
	for _, pattern := range []string{"", "*", ".*", "app.*.x", "app*", "app.", "a b"} {
		if _, err := condition.NewRoles(condition.RoleRule{Pattern: pattern}); err == nil {
			t.Errorf("pattern %q is taken", pattern)
		}
	}
}

func TestRolesSurviveText(t *testing.T) {
	for r := condition.RoleIgnored; r <= condition.RoleMeasure; r++ {
		text, _ := r.MarshalText()
		var back condition.Role
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("%v came back as %v, %v", r, back, err)
		}
	}
	var r condition.Role
	if err := r.UnmarshalText([]byte("conditional")); err == nil {
		t.Error("role conditional is taken")
	}
}

func FuzzRoles(f *testing.F) {
	f.Add("app.tenant")
	f.Add("http..status")
	f.Add("._-/")
	roles, err := condition.NewRoles()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if r := roles.Of(key); r > condition.RoleMeasure {
			t.Errorf("Of(%q) = %d", key, r)
		}
	})
}
