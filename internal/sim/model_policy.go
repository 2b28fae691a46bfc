package sim

import "time"

// A Policy says how one service, or workload, calls another.
type Policy struct {
	From, To string
	Timeout  time.Duration // of one attempt; 0: none
	Cancel   bool          // the callee is told that the caller gave up, and stops
	// From the outside in: a call is a retry of attempts, each of which the breaker,
	// the throttler and the limiters must let through.
	Retry             Retry
	CircuitBreaker    CircuitBreaker
	AdaptiveThrottler AdaptiveThrottler
	RateLimiter       RateLimiter
	Bulkhead          Bulkhead
	AdaptiveLimiter   AdaptiveLimiter
	Hedge             Hedge
	Pool              Pool
	Fallback          bool // a call that failed is answered from elsewhere
	Network           Network
	Balance           Balance
	DNS               DNS
	Quota             string // of the calls that share it: none
	Token             string // the issuer of what who calls shows: none is asked for
}

// Retry says when a failed attempt is made again.
type Retry struct {
	MaxAttempts int           // with the first: 1. Negative: without end
	MaxDuration time.Duration // no retry begins later than this; 0: no bound
	Delay       time.Duration // before every further one
	Backoff     Backoff
	Budget      Budget
}

// A Budget bounds retries, by tokens or by how many are under way.
type Budget struct {
	Tokens   TokenBudget
	Inflight InflightBudget
}

// An InflightBudget is failsafe-go's budget: a retry is refused if more than
// MinConcurrency are under way and they are more than a share MaxRate of all
// calls and retries. It is asked only after the delay before the retry. The zero
// InflightBudget lets all through.
type InflightBudget struct {
	MaxRate        float64
	MinConcurrency int // 3
}

// A Hedge is a second attempt beside the first if that has not been answered for
// Delay. The first answer counts, and the other attempt is told.
type Hedge struct {
	Delay time.Duration // 0: none
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

// A Bulkhead bounds how many attempts of one calling instance are under way. One
// that finds it full is refused at once, unless Wait or MaxWait lets it wait.
type Bulkhead struct {
	Max     int           // 0: no bound
	Wait    int           // how many may wait for a place; 0 with MaxWait: any number
	MaxWait time.Duration // how long each may wait; 0 with Wait: without end
}

// A Pool is the connections of one calling instance. An attempt that has none
// waits, and its timeout runs. A connection is busy until the callee is done,
// also if the caller has given up.
type Pool struct {
	Max int // 0: no pool
}

// A Network is what lies between the two.
type Network struct {
	Delay Dist    // of a message, each way
	Loss  float64 // probability that a message is lost. 1 is a partition
	// Link is what the messages go through, with so many bytes in a request and in
	// an answer.
	Link            string
	Request, Answer float64
}

// A Balancing says how an instance is picked.
type Balancing string

// Balancings.
const (
	RoundRobin       Balancing = "round_robin"
	RandomInstance   Balancing = "random"
	TwoChoices       Balancing = "two_choices" // the one of two at random with less in hand
	LeastConnections Balancing = "least_connections"
	ConsistentHash   Balancing = "consistent_hash" // by the request's key
	EWMA             Balancing = "ewma"            // the one of two at random that has answered faster, by what it has in hand
	ToLeader         Balancing = "leader"          // the one that holds the lease of the service
)

// A Balance says which instance gets an attempt.
type Balance struct {
	Algorithm Balancing // round_robin
	// Discovery is how long it takes until the caller knows that an instance has
	// come or gone. Until then it goes by what it knew before.
	Discovery Dist
	Ejection  Ejection
}
