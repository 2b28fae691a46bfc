package sim

import "time"

// A Model describes a system, its load and what may be switched in it. It is
// plain data: New checks it and builds a run from it, and never changes it. A
// field that is zero has the default that its comment names.
type Model struct {
	Name       string
	Horizon    time.Duration // how long a run lasts
	Warmup     time.Duration // how much of it at the start is left out of totals
	Services   []Service
	Workloads  []Workload
	Policies   []Policy
	Conditions []Condition
	SLO        SLO
}

// An SLO says when a user's request is good: when it succeeds within Under, or
// whenever it succeeds if Under is 0.
type SLO struct {
	Under  time.Duration
	Target float64 // share of good requests, such as 0.999
}

// A Service handles requests on one or more instances. A request takes one of an
// instance's servers, works, makes its calls one after the other, and answers;
// it holds the server all that time.
type Service struct {
	ID          string
	Version     string
	Instances   int // 1
	Servers     int // of each instance: 1
	ServiceTime Dist
	Queue       Queue
	Speed       float64 // work done in a second: 1. A condition may set it to 0: it stands still
	Error       float64 // probability that a request fails by itself
	Calls       []Call
	Op          string // name of the operation in telemetry: "handle"
}

// A Call is one that a service makes for each request.
type Call struct {
	To       string
	Prob     float64 // 1
	Count    int     // how many, one after the other: 1
	Optional bool    // its failure does not fail the caller
}

// A Discipline says who is next.
type Discipline string

// Disciplines.
const (
	FIFO Discipline = "fifo"
	LIFO Discipline = "lifo"
)

// A Queue is where requests wait for a server.
type Queue struct {
	Discipline  Discipline    // fifo
	Bound       int           // how many may wait; 0: all
	None        bool          // nobody may wait: what finds no server is refused
	DropExpired bool          // skip, without work, what its caller has given up, or will
	DropMargin  time.Duration // will, unless this long is left
}

// A Workload is a population of users that send requests to a service.
type Workload struct {
	ID       string
	Rate     Rate
	Entry    string // the service
	Op       string // name of the operation, such as "POST /checkout"
	Patience time.Duration
}

// A Rate is how many requests arrive in a second, as a Poisson process.
type Rate struct {
	Const float64
}

// A Policy says how one service, or workload, calls another.
type Policy struct {
	From, To string
	Timeout  time.Duration // of one attempt; 0: none
	Retry    Retry
	Network  Dist // delay of a message, each way
}

// Retry says when a failed attempt is made again.
type Retry struct {
	MaxAttempts int           // with the first: 1. Negative: without end
	Delay       time.Duration // before every further one
	Backoff     Backoff
	Budget      TokenBudget
}

// A Jitter says how the delay of a backoff is spread.
type Jitter string

// Jitters.
const (
	NoJitter   Jitter = "none"
	FullJitter Jitter = "full" // uniform between 0 and the delay
)

// A Backoff is a delay that doubles from Base to Cap. It adds to Delay.
type Backoff struct {
	Base, Cap time.Duration
	Jitter    Jitter // none
}

// A TokenBudget lets a retry through for a token. A first attempt pays Ratio
// tokens in; no more than Burst are kept, and so many are there at first. The
// zero TokenBudget lets all through.
type TokenBudget struct {
	Ratio, Burst float64
}

// A ConditionKind says what sort of change puts a condition in force.
type ConditionKind string

// Kinds of conditions.
const (
	KindLoad      ConditionKind = "load"
	KindFault     ConditionKind = "fault"
	KindPhase     ConditionKind = "phase"
	KindLease     ConditionKind = "lease"
	KindDeploy    ConditionKind = "deploy"
	KindConfig    ConditionKind = "config"
	KindFlag      ConditionKind = "flag"
	KindPolicy    ConditionKind = "policy"
	KindCron      ConditionKind = "cron"
	KindDNS       ConditionKind = "dns"
	KindScale     ConditionKind = "scale"
	KindTelemetry ConditionKind = "telemetry"
)

// A Condition is something that can be switched on or off for a run, as a factor
// of an experiment is. On, its Apply settings hold in its windows, or all the
// time if it has none. Off, its Revert settings hold all the time.
type Condition struct {
	ID      string
	Kind    ConditionKind
	Target  string // a service, a workload, or an edge as "from->to"
	Apply   []Setting
	Revert  []Setting
	Windows []Window
	Default bool // on, unless Settings.On says otherwise
	// Instances are those of a service that are meant; none are all.
	Instances []int
}

// A Setting gives a parameter of the target a value. Parameters are named as
// the fields of Service, Workload and Policy in lower case with underscores, and
// those within as "retry.max_attempts". A value is a float64, int, bool, string,
// time.Duration, Dist or Rate, as the field is; a text is taken where it can be
// read as a duration. "speed" multiplies.
type Setting struct {
	Param string
	Value any
}

// A Window is a stretch of a run. To 0 is the end of the run.
type Window struct {
	From, To time.Duration
}

// services returns the service of a name.
func (m *Model) service(id string) (int, bool) {
	for i := range m.Services {
		if m.Services[i].ID == id {
			return i, true
		}
	}
	return 0, false
}

// workload returns the workload of a name.
func (m *Model) workload(id string) (int, bool) {
	for i := range m.Workloads {
		if m.Workloads[i].ID == id {
			return i, true
		}
	}
	return 0, false
}

// policy returns the policy of an edge, or one that does nothing.
func (m *Model) policy(from, to string) Policy {
	for _, p := range m.Policies {
		if p.From == from && p.To == to {
			return p
		}
	}
	return Policy{From: from, To: to}
}
