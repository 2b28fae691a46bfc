package access

import (
	"fmt"
	"slices"
	"strings"
)

// A Role is what a token may be used for.
type Role string

// The roles. Those of people include each other: an approver may do what an
// operator may, an operator what a viewer may. Ingest stands apart: it is the
// role of exporters and of systems that report changes, its token lies in many
// places, and it reads nothing.
const (
	Ingest   Role = "ingest"   // sends telemetry and changes
	Viewer   Role = "viewer"   // reads everything
	Operator Role = "operator" // acts on incidents, starts experiments
	Approver Role = "approver" // approves actions on the system
)

// Roles lists all roles, the weakest first.
func Roles() []Role { return []Role{Ingest, Viewer, Operator, Approver} }

// Includes reports whether whoever has role r may act in role other.
func (r Role) Includes(other Role) bool {
	if r == other {
		return slices.Contains(Roles(), r)
	}
	people := []Role{Viewer, Operator, Approver}
	mine, theirs := slices.Index(people, r), slices.Index(people, other)
	return mine >= 0 && theirs >= 0 && mine >= theirs
}

// Validate refuses what is not a role, and lists those that are.
func (r Role) Validate() error {
	if slices.Contains(Roles(), r) {
		return nil
	}
	var names []string
	for _, known := range Roles() {
		names = append(names, string(known))
	}
	return fmt.Errorf("role %q: want one of %s", string(r), strings.Join(names, ", "))
}
