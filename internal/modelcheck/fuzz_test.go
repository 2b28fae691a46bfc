package modelcheck_test

import (
	"testing"

	"example.test/eddy/internal/modelcheck"
	"example.test/eddy/phase/contract"
)

// smallest is a contract with little in it. The fuzzer makes what it finds
// smaller, and with the shipped ones would do nothing else.
const smallest = `apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: a, version: 1, owner: b}
spec:
  subject: {kind: flag, key: c}
  phases:
    - {name: A, order: 0, permissions: {p: allow}}
    - {name: B, order: 1, terminal: true, permissions: {p: deny}}
  initial: A
  actions: {x: {requires: p}}
  roles:
    producers: [{name: d, announces: [A, B]}]
    consumers: [{name: e, observes: eddy, does: {x: [A]}}]
  transitions: [{from: A, to: B, await: {atMost: 2s}}]
  announce: {keys: [{id: k, alg: ed25519, publicKey: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=, roles: [d]}]}
`

// Whatever can be parsed can be checked, or is refused with a reason.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(smallest))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := contract.Parse("x.yaml", text)
		if err != nil {
			return
		}
		o := modelcheck.Options{MaxStates: 300, Epochs: 2, Workers: 1}
		if _, err := modelcheck.Check(t.Context(), c, o); err != nil {
			return
		}
		if _, err := modelcheck.Promela(c, o); err != nil {
			t.Errorf("it can be checked, and not be written for Spin: %v", err)
		}
	})
}
