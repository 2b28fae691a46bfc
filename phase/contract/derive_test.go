package contract_test

import (
	"slices"
	"testing"
	"time"

	"example.test/eddy/phase/contract"
)

func TestWhatIsLostIsAnnouncedFirstAndWhatIsGainedIsDoneFirst(t *testing.T) {
	c := shipped(t, "expand-contract.yaml")
	for _, test := range []struct {
		from, to   contract.PhaseName
		loss, gain []string
		want       contract.Discipline
	}{
		{"V1_ONLY", "EXPANDED", nil, []string{"write_dual"}, contract.ActFirst},
		{"EXPANDED", "V1_ONLY", []string{"write_dual"}, nil, contract.AnnounceFirst},
		{"DUAL", "BACKFILLED", nil, []string{"read_new"}, contract.ActFirst},
	} {
		got := c.Derive(test.from, test.to)
		if !slices.Equal(got.Loss, test.loss) || !slices.Equal(got.Gain, test.gain) || got.Discipline != test.want || got.Conflict {
			t.Errorf("%s to %s: got %+v", test.from, test.to, got)
		}
	}
	if got := c.Derive("V1_ONLY", "SWITCHED"); !got.Conflict {
		t.Errorf("a switch in one step: got %+v, want a conflict", got)
	}
}

func TestTheOverlapOfAConflictResolvesIt(t *testing.T) {
	for _, file := range files(t) {
		c := shipped(t, file)
		for _, from := range c.Phases {
			for _, to := range c.Phases {
				if !c.Derive(from.Name, to.Name).Conflict {
					continue
				}
				overlap := c.Overlap(from.Name, to.Name)
				for name, permission := range overlap.Permissions {
					either := from.Permissions[name] != contract.Deny || to.Permissions[name] != contract.Deny
					if either != (permission != contract.Deny) {
						t.Errorf("%s: %s: %s is %s", file, overlap.Name, name, permission)
					}
				}
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	c := shipped(t, "rolling-drain.yaml")
	for _, test := range []struct {
		name string
		in   contract.Interaction
		want contract.Verdict
	}{
		{"as agreed", contract.Interaction{Role: "router", Action: "new_request", Actual: "ACTIVE", Believed: "ACTIVE", Known: true}, contract.VerdictOK},
		{"late", contract.Interaction{Role: "router", Action: "new_request", Actual: "DRAIN", Since: time.Second, Believed: "ACTIVE", Known: true}, contract.VerdictTolerated},
		{"too late", contract.Interaction{Role: "router", Action: "new_request", Actual: "DRAIN", Since: 2001 * time.Millisecond, Believed: "ACTIVE", Known: true}, contract.VerdictMismatch},
		{"a longer grace for who is slower", contract.Interaction{Role: "kube-proxy", Action: "new_request", Actual: "DRAIN", Since: 4 * time.Second, Believed: "ACTIVE", Known: true}, contract.VerdictTolerated},
		{"knew better", contract.Interaction{Role: "router", Action: "new_request", Actual: "DRAIN", Believed: "DRAIN", Known: true}, contract.VerdictMismatch},
		{"did not know", contract.Interaction{Role: "router", Action: "new_request", Actual: "ACTIVE"}, contract.VerdictMismatch},
		{"need not know", contract.Interaction{Role: "kube-proxy", Action: "new_request", Actual: "ACTIVE"}, contract.VerdictOK},
		{"denied", contract.Interaction{Role: "router", Action: "continue", Actual: "SHUTDOWN", Believed: "DRAIN", Known: true}, contract.VerdictRefused},
		{"no such action", contract.Interaction{Role: "router", Action: "dance", Actual: "ACTIVE", Believed: "ACTIVE", Known: true}, contract.VerdictRefused},
		{"no such role", contract.Interaction{Role: "guest", Action: "continue", Actual: "ACTIVE", Believed: "ACTIVE", Known: true}, contract.VerdictMismatch},
	} {
		if got := c.Judge(test.in); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestADeclaredPairMayBeForbidden(t *testing.T) {
	c := edited(t, "rolling-drain.yaml", "role: router,     verdict: tolerate, for: 2s}", "role: router,     verdict: forbid}")
	in := contract.Interaction{Role: "router", Action: "new_request", Actual: "DRAIN", Believed: "ACTIVE", Known: true}
	if got := c.Judge(in); got != contract.VerdictMismatch {
		t.Errorf("got %s, want %s", got, contract.VerdictMismatch)
	}
}

func TestAcknowledgementsDoNotSpeakForWhoSendsNone(t *testing.T) {
	c := shipped(t, "rolling-drain.yaml")
	step, _ := c.Transition("DRAIN", "SHUTDOWN")
	if c.Shortcut(step) {
		t.Error("a drain may end early although kube-proxy does not acknowledge")
	}
	c = shipped(t, "serverless-init.yaml")
	step, _ = c.Transition("FREEZING", "STOPPED")
	if !c.Shortcut(step) {
		t.Error("where everyone acknowledges, acknowledgements must end the wait")
	}
}

func TestTheWaitIsABeliefOnASlowClockAndAFlight(t *testing.T) {
	c := shipped(t, "rolling-drain.yaml")
	router, _ := c.Consumer("router")
	if got, want := c.Wait(router), 1318*time.Millisecond; got != want { // 900 ms * 1.02 + 400 ms
		t.Errorf("got %v, want %v", got, want)
	}
}
