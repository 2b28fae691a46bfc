package sim

import "time"

// A Model describes a system, its load and what may be switched in it. It is
// plain data: New checks it and builds a run from it, and never changes it. A
// field that is zero has the default that its comment names.
type Model struct {
	Name          string
	Horizon       time.Duration // how long a run lasts
	Warmup        time.Duration // how much of it at the start is left out of totals
	Services      []Service
	Caches        []Cache
	Stores        []Store
	Streams       []Stream
	Quotas        []Quota
	Leases        []Lease
	Pipelines     []Pipeline
	Issuers       []Issuer
	Distributions []Distribution
	Links         []Link
	Workloads     []Workload
	Policies      []Policy
	Rules         []Rule
	Conditions    []Condition
	SLO           SLO
	Telemetry     Telemetry
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
	Down        bool    // it takes nothing and drops what it has; conditions crash it so
	Draining    bool    // it takes nothing more and ends what it has
	Slowdown    Slowdown
	Pause       Pause
	ColdStart   ColdStart
	Startup     Startup
	Memory      Memory
	Scale       Scale
	Flags       []Flag
	Calls       []Call
	Op          string // name of the operation in telemetry: that of the workload, or "handle"
	Speaks      string // the format in which it asks others
	Format      DataFormat
	Growth      Growth
	// Effect is what it does in the world once for each request, such as "charge".
	// Done again it is a silent harm, unless it is Idempotent.
	Effect     string
	Idempotent bool
	Saga       Saga // of the effects of those it calls
}

// A Slowdown makes an instance slower the more it has in hand, as garbage
// collection and thrashing do: with n requests present, of which more than Above,
// its speed is divided by 1 + Factor*(n-Above)/Above.
type Slowdown struct {
	Above  int // 0: it does not slow down
	Factor float64
}

// A Pause stops an instance now and then, as a full garbage collection does.
type Pause struct {
	Every, For Dist
}

// A Flag is a feature flag that a service evaluates for each request.
type Flag struct {
	Key     string
	Default string  // the variant of those outside the share
	Variant string  // the variant of those inside
	Share   float64 // of requests: 0 to 1
}

// A Call is one that a service makes for each request.
type Call struct {
	To       string
	Prob     float64 // 1
	Count    int     // how many, one after the other: 1
	Parallel bool    // all at once
	Need     int     // of those made at once, how many must succeed: all
	Write    bool    // to a store: it changes something
	Optional bool    // its failure does not fail the caller
	Skip     bool    // it is not made; a condition may set it, as a version that calls another way
	// Hops bounds a ring of services that call each other: the call is made only
	// while fewer calls along rings than this lie behind the request. 0: maxHops,
	// at which it fails.
	Hops int
}

// A Store keeps data behind a number of connections. A request to it takes a
// server of its shard, then its share of the input and output, then works.
type Store struct {
	ID          string
	System      string // db.system.name, such as "postgresql"
	Servers     int    // of each shard: 1
	Connections int    // requests that a shard lets in, waiting or at work; 0: all
	Read, Write Dist
	IO          IO
	Shards      int // 1. A request goes to the shard of its key
	Replicas    int // of each shard, for reads. 0: all go to the primary
	Quorum      Quorum
	Split       int // shards over which the most frequent key is spread, as with a salt; 0: it has one
	Lag         time.Duration
	// PrimaryReads sends reads to the primary as well.
	PrimaryReads bool
	Format       DataFormat // that of what is written
	Locks        int        // rows: a write holds the lock of its row. 0: no locks
	Locked       bool       // writes wait, as behind a lock on the table; a condition sets it
	Keys         Keys       // which key, and so shard and row, a request is about
	Speed        float64    // 1
	Error        float64
	Queue        Queue
	Down         bool
	Slowdown     Slowdown
}

// IO is input and output that all servers of a shard share, and that backups
// and compactions take from.
type IO struct {
	Capacity  float64 // work done in a second: 0, input and output are not modelled
	ReadCost  float64 // work of a read
	WriteCost float64
	Take      float64 // share of the capacity that something else takes: 0 to 1
}

// Keys says which keys requests are about.
type Keys struct {
	N    int     // how many keys there are: 1
	Zipf float64 // the k-th most frequent has weight k^-Zipf; 0: all the same
	Hot  float64 // share of requests that are about the first key, beside that
}

// A Cache stands between those that call it and a store: what it does not have,
// the caller loads from the store, along the edge from the caller to the store.
type Cache struct {
	ID      string
	Of      string        // the store, or a service, behind it
	Entries int           // how many it keeps; 0: all
	Policy  Eviction      // lru
	TTL     Dist          // how long an entry is fresh; the zero Dist: for ever
	Keys    Keys          // which key a request is about
	Latency time.Duration // of a hit
	Fill    Fill
	Cold    bool // empty at the start, rather than as after a long time
	Flush   Flush
}

// An Eviction says what a full cache gives up.
type Eviction string

// Evictions.
const (
	LRU     Eviction = "lru"
	TinyLFU Eviction = "tinylfu" // a new entry must have been asked for more often than the one it replaces
)

// Fill says how what is missing is loaded.
type Fill struct {
	Coalesce Coalesce      // none
	SWR      time.Duration // how long a stale entry is served while one request refreshes it
	Early    float64       // beta of probabilistic early expiry; 0: none
}

// Coalesce says which misses of one key share a load.
type Coalesce string

// Coalescings.
const (
	CoalesceNone   Coalesce = "none"
	CoalesceFlight Coalesce = "flight" // those of one instance of the caller
	CoalesceLease  Coalesce = "lease"  // those of the whole fleet
)

// Flush drops a share of the entries, each at a time within Stagger. A condition
// sets it.
type Flush struct {
	Fraction float64
	Stagger  time.Duration
}

// A Workload is a population of users that send requests to a service.
type Workload struct {
	ID         string
	Rate       Rate
	Entry      string        // the service
	Op         string        // name of the operation, such as "POST /checkout"
	Patience   time.Duration // the timeout of its edge, unless the policy of that has one
	Priority   int           // 0 to 4, 0 is served first
	Attributes []Attribute
	Speaks     string   // the format of its requests
	Background bool     // nobody waits for it: it is not counted among what users saw
	Size       Size     // how many items they are about
	Schedule   Schedule // of jobs; Rate is then not used
	// Closed users wait for an answer, think, and ask again; Rate is then not used.
	Closed int
	Think  Dist
	// Reload is how often a user who failed asks again at once.
	Reload int
}

// An Attribute is one that a share of a workload's requests have, such as
// tenant=acme.
type Attribute struct {
	Key, Value string
	Share      float64 // 1
}

// A Rule is a fault that waits for a combination: a request that has met all of
// When by the time that At has worked on it is affected with probability Prob.
type Rule struct {
	ID   string
	At   string // a service
	When []Atom
	Prob float64 // 1
	// What happens: an error of this type, or a silent harm of this name, which is
	// only counted, or more work, or a server that is never given back.
	Error string
	Harm  string
	Slow  Dist
	Leak  bool
}

// An Atom is one thing that a request may have met:
//
//	{cart, version, 2.4.0}         an instance of that version
//	{pricing, rounding, banker}    a variant of a flag of a service
//	{"", tenant, acme}             an attribute of its workload
//	{"", condition, backup}        a condition that is in force
//	{catalog-cache, result, miss}  a cache that has the key, or not: hit or miss
//	{orders-db, read, stale}       a replica that did not know of the last write
type Atom struct {
	Entity, Dimension, Value string
	Not                      bool // it has not met it
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
