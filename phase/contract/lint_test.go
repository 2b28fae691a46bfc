package contract_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"example.test/eddy/phase/contract"
)

// edited parses a shipped contract in which old is replaced by changed, once.
func edited(t testing.TB, file, old, changed string) *contract.Contract {
	t.Helper()
	text := read(t, file)
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%s has %q %d times, want once", file, old, strings.Count(string(text), old))
	}
	c, err := contract.Parse(file, []byte(strings.Replace(string(text), old, changed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lints has, for every code, changes of a shipped contract that trigger it and
// nothing else, and a part of what is said.
var lints = []struct {
	code, file, old, changed, says string
}{
	{"L01", "serverless-init.yaml", "{name: COLD,     order: 0", "{name: 'ON', order: 0", "call it by what it is, as FLAG_ON"},
	{"L02", "rolling-drain.yaml", "serves_inflight: allow, may_write: allow}}\n    - {name: DRAIN", "may_write: allow}}\n    - {name: DRAIN", "ACTIVE does not say whether it permits serves_inflight"},
	{"L03", "rolling-drain.yaml", "to: DRAIN,    discipline", "to: DRIAN,    discipline", "there is no phase DRIAN: want DRAIN"},
	{"L03", "rolling-drain.yaml", "requires: accepts_new}", "requires: accept_new}", "there is no permission accept_new: want accepts_new"},
	{"L04", "rolling-drain.yaml", "continue: [ACTIVE, DRAIN]}", "continue: [ACTIVE, DRAIN, SHUTDOWN]}", "router does continue while it believes in SHUTDOWN, which denies serves_inflight"},
	{"L05", "serverless-init.yaml", "    - {from: INIT,     to: WARM,     discipline: act_first,      guard: \"probe.ready\"}\n", "", "no transitions lead from COLD to WARM"},
	{"L06", "serverless-init.yaml", "{from: FREEZING, to: STOPPED,  discipline: announce_first, guard: \"inflight == 0\", await: {acks: quiesced, atMost: 2s}}", "{from: FREEZING, to: STOPPED}\n    - {from: FREEZING, to: WARM}", "FREEZING to WARM goes back"},
	{"L08", "rolling-drain.yaml", "propagation: {bound: 2s,", "propagation: {bound: 1s,", "can last 1.318s"},
	{"L09", "staged-policy.yaml", "{from: REPORT,   to: ACCEPT,   discipline: act_first,      guard: \"true\"}", "{from: REPORT,   to: ACCEPT}\n    - {from: DISABLED, to: ENFORCE}", "DISABLED_AND_ENFORCE, permissions: {call_plain: allow, call_signed: allow}"},
	{"L10", "serverless-init.yaml", "to: WARM,     discipline: act_first", "to: WARM,     discipline: announce_first", "want act_first, since it gives deliver"},
	{"L10", "regional-flag.yaml", "{from: CANARY,     to: READ_READY, discipline: announce_first", "{from: CANARY,     to: READ_READY, discipline: act_first", "want announce_first, since it takes away write_v2"},
	{"L11", "staged-policy.yaml", "guard: \"true\", await: {acks: quiesced, atMost: 2s}}", "guard: \"true\"}", "ACCEPT to DISABLED takes away call_signed"},
	{"L12", "staged-policy.yaml", "guard: \"true\", await: {acks: quiesced, atMost: 2s}}", "guard: \"true\", await: {acks: quiesced, atMost: 1300ms}}", "waits 1.3s, but call_signed can still arrive 1.318s after"},
	{"L13", "rolling-drain.yaml", "assumedBound: 5s", "assumedBound: 7s", "kube-proxy may do new_request for 7.4s"},
	{"L14", "leader-lease.yaml", "mode: seal, ", "mode: token, ", "a bare token lets the write of a deposed holder in"},
	{"L14", "leader-lease.yaml", "mode: seal, ", "", "nothing keeps the write of a deposed holder out"},
	{"L15", "leader-lease.yaml", "renewDeadline: 6s", "renewDeadline: 9500ms", "want less than 9s"},
	{"L15", "leader-lease.yaml", "renewEvery: 2s", "renewEvery: 4s", "one lost renewal costs the lease"},
	{"L15", "leader-lease.yaml", "ttl: 10s, renewEvery: 2s, renewDeadline: 6s", "ttl: 1s, renewEvery: 200ms, renewDeadline: 600ms", "etcd grants no shorter one"},
	{"L16", "serverless-init.yaml", "    - {from: FREEZING, to: STOPPED,  discipline: announce_first, guard: \"inflight == 0\", await: {acks: quiesced, atMost: 2s}}\n", "", "from FREEZING no transitions lead to a terminal phase"},
	{"L17", "expand-contract.yaml", "DUAL:       {readers: [app-42],         writers: [app-42]}", "DUAL:       {readers: [app-42, app-43], writers: [app-42]}", "in DUAL, app-43 reads only v2, but in EXPANDED app-41 writes old"},
	{"L18", "rolling-drain.yaml", "roles: [pod]}", `roles: [pod], notAfter: "2026-12-20T00:00:00Z"}`, "expires in 24 days"},
	{"L18", "rolling-drain.yaml", "roles: [pod]}", `roles: [pod], notAfter: "2026-11-20T00:00:00Z"}`, "expired on 2026-11-20"},
	{"L19", "rolling-drain.yaml", ", accept: \"it routes by EndpointSlice and has no belief that could end\"", "", "kube-proxy does new_request without a belief, which INIT denies"},
}

func TestEveryLintFindsItsMistake(t *testing.T) {
	for _, l := range lints {
		t.Run(l.code, func(t *testing.T) {
			problems := edited(t, l.file, l.old, l.changed).Lint(contract.LintOptions{Now: judged})
			said := false
			for _, p := range problems {
				said = said || p.Code == l.code && strings.Contains(p.String(), l.says)
				if p.Line == 0 || p.Fix == "" {
					t.Errorf("no line or no fix: %v", p)
				}
			}
			if !said {
				t.Errorf("got %v\nwant %s with %q", problems, l.code, l.says)
			}
		})
	}
}

func TestGuardsAreCheckedByWhoeverCan(t *testing.T) {
	c := shipped(t, "rolling-drain.yaml")
	refuse := func(guard string) error {
		if strings.Contains(guard, "inflight") {
			return errors.New("no such variable: inflight")
		}
		return nil
	}
	problems := c.Lint(contract.LintOptions{CheckGuard: refuse})
	if len(problems) != 1 || problems[0].Code != "L07" || problems[0].Field != "spec.transitions[2].guard" {
		t.Errorf("got %v, want L07 for the guard of the third transition", problems)
	}
}

func TestOnlyErrorsMakeAContractUnusable(t *testing.T) {
	c := edited(t, "rolling-drain.yaml", "roles: [pod]}", `roles: [pod], notAfter: "2026-12-20T00:00:00Z"}`)
	problems := c.Lint(contract.LintOptions{Now: judged})
	if len(problems) != 1 || len(contract.Errors(problems)) != 0 {
		t.Errorf("got %v, want one warning", problems)
	}
	if later := c.Lint(contract.LintOptions{Now: judged.Add(60 * 24 * time.Hour)}); len(contract.Errors(later)) != 1 {
		t.Errorf("after the key's end: got %v, want one error", later)
	}
}
