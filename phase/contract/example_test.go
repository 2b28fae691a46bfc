package contract_test

import (
	"fmt"

	"example.test/eddy/phase/contract"
)

// A flag that goes straight from one payload to another takes something away and
// gives something in the same step.
const flag = `apiVersion: eddy.dev/v1alpha1
kind: PhaseContract
metadata: {name: payload, version: 1, owner: team-pricing}
spec:
  subject: {kind: flag, key: "flags/{eddy.flag.key}"}
  phases:
    - {name: V1, order: 0, permissions: {write_v1: allow, write_v2: deny}}
    - {name: V2, order: 1, terminal: true, permissions: {write_v1: deny, write_v2: allow}}
  initial: V1
  actions: {write_v1: {requires: write_v1}, write_v2: {requires: write_v2}}
  roles:
    producers: [{name: controller, announces: [V1, V2]}]
    consumers: [{name: region, observes: eddy, does: {write_v1: [V1], write_v2: [V2]}}]
  transitions: [{from: V1, to: V2}]
  announce: {keys: [{id: k1, alg: ed25519, publicKey: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=, roles: [controller]}]}
`

func ExampleContract_Lint() {
	c, err := contract.Parse("payload.yaml", []byte(flag))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range c.Lint(contract.LintOptions{}) {
		fmt.Println(p.Position, p.Code, p.Message)
	}
	// Output:
	// payload.yaml:14:17 L09 V1 to V2 takes away write_v1 and gives write_v2, so either order is wrong for somebody
}

func ExampleContract_Derive() {
	c, err := contract.Parse("payload.yaml", []byte(flag))
	if err != nil {
		fmt.Println(err)
		return
	}
	step := c.Derive("V1", "V2")
	fmt.Println("lost:", step.Loss, "gained:", step.Gain)
	fmt.Println("between:", c.Overlap("V1", "V2").Permissions)
	// Output:
	// lost: [write_v1] gained: [write_v2]
	// between: map[write_v1:allow write_v2:allow]
}

func ExampleContract_Judge() {
	c, err := contract.Parse("payload.yaml", []byte(flag))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Judge(contract.Interaction{Role: "region", Action: "write_v1", Actual: "V1", Believed: "V1", Known: true}))
	fmt.Println(c.Judge(contract.Interaction{Role: "region", Action: "write_v1", Actual: "V2", Believed: "V1", Known: true}))
	// Output:
	// ok
	// refused
}
