package modelcheck_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase/contract"
)

// randomContract draws a contract of three or four phases and two actions, whose
// permissions, roles, transitions and awaits may be right or wrong.
func randomContract(r *rand.Rand) string {
	phases := []string{"A", "B", "C", "D"}[:3+r.IntN(2)]
	var b strings.Builder
	b.WriteString("apiVersion: eddy.dev/v1alpha1\nkind: PhaseContract\nmetadata: {name: random, version: 1, owner: nobody}\nspec:\n  subject: {kind: flag, key: \"x\"}\n  phases:\n")
	permits := map[string][]bool{}
	for i, p := range phases {
		may := []bool{r.IntN(2) == 0, r.IntN(2) == 0}
		permits[p] = may
		word := func(x int) string { return map[bool]string{true: "allow", false: "deny"}[may[x]] }
		fmt.Fprintf(&b, "    - {name: %s, order: %d, terminal: true, permissions: {px: %s, py: %s}}\n", p, i, word(0), word(1))
	}
	b.WriteString("  initial: A\n  actions: {x: {requires: px}, y: {requires: py}}\n  roles:\n    producers: [{name: p, announces: [A]}]\n    consumers:\n      - name: c\n        observes: eddy\n        does: {")
	for x, action := range []string{"x", "y"} {
		var does []string
		for _, p := range phases {
			if permits[p][x] && r.IntN(4) > 0 {
				does = append(does, p)
			}
		}
		fmt.Fprintf(&b, "%s: [%s]%s", action, strings.Join(does, ", "), []string{", ", "}\n"}[x])
	}
	b.WriteString("  transitions:\n")
	for i := range phases[1:] {
		await := []string{"", ", await: {acks: quiesced, atMost: 2s}", ", await: {acks: none, atMost: 2s}", ", await: {acks: none, atMost: 1s}"}[r.IntN(4)]
		discipline := []string{"", ", discipline: announce_first", ", discipline: act_first"}[r.IntN(3)]
		fmt.Fprintf(&b, "    - {from: %s, to: %s%s%s}\n", phases[i], phases[i+1], discipline, await)
	}
	b.WriteString("  announce: {keys: [{id: k, alg: ed25519, publicKey: \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\", roles: [p]}]}\n  model: {tick: 500ms, reorder: true}\n")
	return b.String()
}

// A contract that the lints let pass must hold. One that they refuse should break,
// or the lint asks for more than is needed; that is rare, and allowed.
func TestLintsAndCheckerAgreeOnRandomContracts(t *testing.T) {
	slow(t)
	r := rand.New(rand.NewPCG(1, 2))
	clean, refused, breaks := 0, 0, 0
	for range 300 {
		text := randomContract(r)
		c, err := contract.Parse("random.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		// L11 wants an await written that the default would give.
		wrong := slices.DeleteFunc(contract.Errors(c.Lint(contract.LintOptions{})), func(p contract.Problem) bool { return p.Code == "L11" })
		report := check(t, c, modelcheck.Options{Epochs: 3, Faults: none(), SafetyOnly: true})
		v := report.Violation()
		switch {
		case len(wrong) == 0 && v != nil:
			t.Errorf("no lint refuses\n%s\nbut %s", text, v.Says)
		case len(wrong) == 0:
			clean++
		default:
			refused++
			if v != nil {
				breaks++
			} else {
				t.Logf("refused and holds: %v\n%s", wrong[0], text)
			}
		}
	}
	t.Logf("%d clean contracts hold; of %d refused %d break", clean, refused, breaks)
	if clean < 50 || refused < 50 {
		t.Errorf("%d clean and %d refused: the draw says too little", clean, refused)
	}
	if breaks*100 < refused*95 {
		t.Errorf("of %d contracts that lints refuse only %d break, want 95 %%", refused, breaks)
	}
}
