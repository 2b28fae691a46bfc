// Package cel compiles the guards of contracts, which are written in CEL, and
// decides whether they hold.
//
// It stands apart from phase/contract because the implementation of CEL adds
// 14 MB to whoever links it, and only who decides about a transition needs it.
//
// A guard is an expression over [Facts] that is true or false. It fails closed:
// what is not known makes a guard that asks for it false, with an error that says
// what was missing. Evaluation is bounded by [maxCost]; a guard above it is false,
// too. See the Common Expression Language, https://cel.dev.
package cel

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"example.test/eddy/phase/contract"
)

const (
	// maxCost is what an evaluation may cost, in CEL's own units: about one for each
	// operation. It leaves room for asking each of some thousand consumers for its
	// versions, and an evaluation that reaches it has taken some thirty milliseconds.
	maxCost = 200_000
	// maxLength is how long a guard may be, in bytes.
	maxLength = 4096
	// maxMetricAge is how old a measurement may be before it counts as missing.
	maxMetricAge = time.Minute
)

// Facts are what a guard may read when its transition is decided.
type Facts struct {
	// Phase is the one to be left, and Dwell how long ago it was committed.
	Phase contract.PhaseName
	Dwell time.Duration
	// InFlight is how many requests the subject has begun and not ended, or below 0
	// if that is not known.
	InFlight int
	// Registered consumers, and how many of them have acknowledged the phase.
	Registered, Acked int
	// Deps are the phases of the contract's deps, by name.
	Deps map[string]contract.PhaseName
	// Metrics are measurements, by name.
	Metrics map[string]Metric
	// Consumers are those that are registered.
	Consumers []Consumer
	// Probe, Lease and Request are facts of the subject, of its lease, and of the
	// request that asks for the transition.
	Probe, Lease, Request map[string]bool
	Now                   time.Time
}

// A Metric is a measurement. One older than a minute counts as missing.
type Metric struct {
	Value float64
	At    time.Time
}

// A Consumer is what a registered consumer says of itself.
type Consumer struct {
	Role, ID                    string
	VersionReads, VersionWrites []string
}

// A Guard is a compiled expression. It is safe for concurrent use.
type Guard struct {
	text    string
	program cel.Program
	partial cel.Program
}

// Check reports what is wrong with a guard; it fits contract.LintOptions.
func Check(guard string) error {
	_, err := Compile(guard)
	return err
}

// variables are what a guard may name.
func variables() []string {
	return []string{"phase", "dwell", "inflight", "acks", "deps", "metrics", "consumers", "probe", "lease", "request", "now"}
}

func environment() (*cel.Env, error) {
	flags := cel.MapType(cel.StringType, cel.BoolType)
	return cel.NewEnv(
		cel.Variable("phase", cel.StringType),
		cel.Variable("dwell", cel.DurationType),
		cel.Variable("inflight", cel.IntType),
		cel.Variable("acks", cel.MapType(cel.StringType, cel.IntType)),
		cel.Variable("deps", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("metrics", cel.MapType(cel.StringType, cel.DoubleType)),
		cel.Variable("consumers", cel.ListType(cel.MapType(cel.StringType, cel.DynType))),
		cel.Variable("probe", flags),
		cel.Variable("lease", flags),
		cel.Variable("request", flags),
		cel.Variable("now", cel.TimestampType),
	)
}

// Compile compiles a guard. The error says at which character what was expected.
func Compile(guard string) (*Guard, error) {
	if len(guard) > maxLength {
		return nil, fmt.Errorf("guard has %d bytes: want at most %d", len(guard), maxLength)
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("environment of guards: %w", err)
	}
	ast, issues := env.Compile(guard)
	if issues.Err() != nil {
		return nil, explain(issues)
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is %s: want true or false", ast.OutputType())
	}
	g := &Guard{text: guard}
	if g.program, err = env.Program(ast, cel.CostLimit(maxCost)); err != nil {
		return nil, fmt.Errorf("program of a guard: %w", err)
	}
	if g.partial, err = env.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptPartialEval)); err != nil {
		return nil, fmt.Errorf("program of a guard: %w", err)
	}
	return g, nil
}

// explain says in one line what is wrong first.
func explain(issues *cel.Issues) error {
	first := issues.Errors()[0]
	message := first.Message
	if strings.HasPrefix(message, "undeclared reference") && !strings.Contains(message, "did you mean") {
		message += ": want one of " + strings.Join(variables(), ", ")
	}
	return fmt.Errorf("at character %d: %s", first.Location.Column()+1, message)
}

// Holds reports whether the guard holds. With an error it does not, and the error
// says what could not be told.
func (g *Guard) Holds(f Facts) (bool, error) {
	value, _, err := g.program.Eval(f.values())
	if err != nil {
		return false, fmt.Errorf("guard %s: %w", g.text, err)
	}
	holds, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("guard %s: is %v", g.text, value)
	}
	return holds, nil
}

// Possible reports whether the guard can hold in a phase, whatever else may be
// the case. deps are the phases of the subjects that it reads, nil if those may be
// anything.
func (g *Guard) Possible(in contract.PhaseName, deps map[string]contract.PhaseName) bool {
	known := map[string]any{"phase": string(in)}
	if deps != nil {
		phases := make(map[string]string, len(deps))
		for name, phase := range deps {
			phases[name] = string(phase)
		}
		known["deps"] = phases
	}
	var unknown []*cel.AttributePatternType
	for _, name := range variables() {
		if _, ok := known[name]; !ok {
			unknown = append(unknown, cel.AttributePattern(name))
		}
	}
	vars, err := cel.PartialVars(known, unknown...)
	if err != nil {
		return true // nothing was ruled out
	}
	value, _, err := g.partial.Eval(vars)
	if err != nil || types.IsUnknown(value) {
		return true
	}
	return value.Value() != false
}

// values are the facts by the names that guards use. What is not known is not
// there.
func (f Facts) values() map[string]any {
	values := map[string]any{
		"phase": string(f.Phase), "dwell": f.Dwell, "now": f.Now,
		"acks":  map[string]int{"registered": f.Registered, "acked": f.Acked},
		"probe": flags(f.Probe), "lease": flags(f.Lease), "request": flags(f.Request),
	}
	if f.InFlight >= 0 {
		values["inflight"] = f.InFlight
	}
	deps := map[string]string{}
	for name, phase := range f.Deps {
		deps[name] = string(phase)
	}
	metrics := map[string]float64{}
	for name, m := range f.Metrics {
		if age := f.Now.Sub(m.At); age <= maxMetricAge {
			metrics[name] = m.Value
		}
	}
	consumers := []map[string]any{}
	for _, c := range f.Consumers {
		consumers = append(consumers, map[string]any{
			"role": c.Role, "id": c.ID, "version_reads": c.VersionReads, "version_writes": c.VersionWrites,
		})
	}
	values["deps"], values["metrics"], values["consumers"] = deps, metrics, consumers
	return values
}

// flags is never nil, which CEL would take for null.
func flags(m map[string]bool) map[string]bool {
	if m == nil {
		return map[string]bool{}
	}
	return m
}

// A Cache compiles each guard once. The zero value is ready; it is not safe for
// concurrent use. It keeps every guard that it has met, of which a contract has as
// many as transitions.
type Cache struct{ guards map[string]*Guard }

// Guard returns the compiled guard.
func (c *Cache) Guard(text string) (*Guard, error) {
	if g, ok := c.guards[text]; ok {
		return g, nil
	}
	g, err := Compile(text)
	if err != nil {
		return nil, err
	}
	if c.guards == nil {
		c.guards = map[string]*Guard{}
	}
	c.guards[text] = g
	return g, nil
}
