// Package eddy is the reading order of this repository.
//
// Eddy finds the failures that no single component causes: it takes
// OpenTelemetry and change events and names the combination of conditions that
// explains the failures.
//
// Each line below is one package and what it adds to the data on its way from
// a span on the wire to a sentence on a page. A package imports only packages
// above it; arch_test.go fails otherwise, so the list stays true. To read the
// program, read this list, then pipeline.Step, then the stage you came for.
//
//	attr                       names the attributes that services emit and Eddy reads
//	phase/fence                refuses writes that carry a stale token
//	phase/contract             states phases, transitions and permissions, and finds what is wrong with them
//	phase/contract/cel         compiles the guards of contracts and decides whether they hold
//	examples/contracts         is ten contracts to copy, one for each use of phases
//	phase/protocol             is how phases are announced, believed and held, as pure functions
//	phase/wire                 is what producers, consumers and the mediator say to each other
//	phase                      announces phases, learns others', and refuses work that a phase forbids
//	phase/phasegrpc            carries phases over gRPC
//	internal/wording           writes counts and shares as people read them
//	internal/reuse             gives slices in room that was used before
//	internal/access            knows who may do what, by token and role
//	internal/telemetry         is a span, a log record, a metric point, a change, a window of time
//	internal/ingest            turns OTLP requests and change events into telemetry, redacted and journaled
//	internal/request           assembles spans into requests with an outcome
//	internal/graph             folds requests into who depends on whom, and on which shared resources
//	internal/condition         keeps which states are in force, and stamps requests with them
//	internal/popcount          counts the bits that rows of words have in common
//	internal/search            finds the sets of classes that explain most failures of a sample
//	internal/interaction       finds the conditions, alone or together, that explain failures
//	internal/modelcheck        walks every interleaving of a contract and shows the shortest way to break it
//	internal/conformance       compares the phases that are announced with those in force and believed
//	internal/incident          opens, groups and closes what people are told about
//	internal/pipeline          carries one window through the stages above
//	internal/sim               is a fleet of services in virtual time
//	internal/experiment        asks a simulator, or a live system, a factorial question
//	internal/scenario          reads systems from files, to be simulated and asked about
//	examples/scenarios         are systems that fail, and systems that do not
//	internal/store             is what a backend must do, and one that does it in memory
//	internal/store/duckdb      answers the store's questions in DuckDB SQL
//	internal/mediator          commits announcements, hands out leases, and tells everyone
//	internal/mediator/etcd     keeps what a mediator must not forget in etcd
//	internal/kubernetes        turns what a cluster does into changes, and phases into readiness
//	internal/web               serves the API and the embedded pages
//	internal/app               wires all this together, and stops it in order
//	internal/demo              is a shop of real services on loopback, under load, with a twist
//	examples/drain             counts the requests that a server loses when it is told to stop
//	cmd/eddy                   parses the command line and calls app
package eddy
