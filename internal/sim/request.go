package sim

// none is no item of an arena.
const none int32 = -1

// A request is what a user asked for. It stays until the last frame that works
// for it has ended, also if the user has gone long before.
type request struct {
	key      uint64 // all its random numbers come from it
	number   uint64 // of the workload's requests
	met      uint64 // atoms, by bit
	tags     uint64 // attributes of its workload, by bit
	start    Time
	refs     int32 // calls and frames that belong to it
	workload int32
	serial   int32     // attempts that were made for it, which tells their draws apart
	reloads  int32     // how often its user asked before, in vain; the slot of a job
	user     int32     // of a closed workload; the instance that a job is for
	spans    int32     // the last that is held, plus one
	keep     bool      // what is held
	effects  effects   // what it has brought about
	message  int32     // that it carries, plus one
	stream   int32     // the stream of that, as a node
	link     [3]uint64 // trace and span of whoever sent the message
}

// A call is what one frame, or the user, wants from a node: one attempt after
// the other until one is answered or the policy gives up.
type call struct {
	req        int32
	parent     int32 // the frame that waits, or none if it is the user or nobody
	edge       int32
	caller     int32 // the instance that calls, counted over all services, or none
	child      int32 // the frame that works on the attempt under way, or none
	attempt    int32 // from 1
	next, prev int32 // of those that wait with it
	waits      waits
	inside     int32 // how many were under way when it began, for the adaptive limiter
	passed     passed
	counted    bool  // among those under way
	second     int32 // the frame that works on its hedge, or none
	hedge      Handle
	address    Handle
	write      bool
	key        int32 // what it is about, once that is known, or none
	nth        int32 // of the same calls of one frame
	detached   bool  // nobody waits for it
	cache      cacheResult
	serial     int32  // of the attempt
	result     result // of the attempt before
	undo       bool   // it takes an effect back
	hops       int16  // along rings, up to this one
	sibling    int32  // the next call of the same frame that is under way, or none
	as         int32  // the identity that who calls had when it worked
	parentSpan uint64 // what works on the attempt is told to be below
	started    Time
	sent       Time // the attempt under way
	timer      Handle
}

// waits says what a call waits for before its attempt goes out.
type waits uint8

const (
	waitsForNothing waits = iota
	waitsForPlace         // in the bulkhead
	waitsForConnection
	waitsForAddress
	waitsForPermit // of the adaptive limiter
)

// A frame is one attempt at work on a node.
type frame struct {
	req     int32
	call    int32 // who waits for the answer, or none once nobody does
	node    int32
	station int32 // the instance, or none
	edge    int32
	pooled  bool  // it uses a connection
	undo    bool  // it takes an effect back
	hops    int16 // along rings, up to this one
	from    int32 // the instance that calls, or none
	attempt int32
	serial  int32
	step    int32 // the next call to make
	repeat  int32 // how many of its repetitions are made
	child   int32 // the last call under way, or none
	busy    int32 // place among those at work, or none
	pending int32 // calls under way, of those made at once
	won     int32 // and that have succeeded
	link    int32 // the next of those that wait for the same, or none
	key     int32 // which entry, or row, it is about
	row     int32 // whose lock it holds or waits for, or none
	result  result
	stage   stage
	write   bool
	stop    bool    // its caller has said that it gave up
	work    float64 // seconds at speed 1 that are left when it stands still
	total   float64 // seconds at speed 1 that it was given
	arrived Time
	began   Time
	ends    Time
	expires Time // when the caller gives up
	done    Handle
	cause   int32 // the rule that failed it, or none
	past    past
	opening bool   // it is making calls at once
	flags   uint16 // those of its service of which it got the variant
	as      int32  // the identity of its instance when it worked, or of who calls where that is none
	span    uint64 // that of its calls is below
	parent  uint64
}

// A stage is where a frame is.
type stage uint8

const (
	stageTravels stage = iota // on the network, either way
	stageWaits                // in the queue of a station
	stageLocked               // for a lock, with a server
	stageIO                   // for input and output, with a server
	stageWorks                // with a server
	stageShares               // all servers, with all others
	stageCalls                // somebody else, with a server
)

// A past is what a frame has behind it, in this order, of what not every frame has.
type past uint8

const (
	pastNothing     past = iota
	pastTranslation      // it has worked on what was asked in another format
	pastFailure          // it takes back what it has brought about
	pastJudgement        // what it works on now a rule has added
)

// A result is how an attempt ended.
type result uint8

const (
	resultNone result = iota
	resultOK
	resultError       // the callee failed by itself
	resultRule        // a rule failed it
	resultTimeout     // the caller gave up
	resultRefused     // the queue of the callee was full
	resultUnreachable // the instance was down, or there was none
	resultShed        // the caller's own policy did not let it through
	resultUpstream    // something that the callee called failed
	resultCancelled   // the caller had given up
)

// hold and drop count who still works for a request.
func (s *Sim) hold(r int32) { s.requests.at(r).refs++ }

func (s *Sim) drop(r int32) {
	q := s.requests.at(r)
	q.refs--
	if q.refs == 0 {
		if q.spans > 0 {
			s.tap.decide(q)
		}
		if q.effects.whole != 0 {
			s.settleEffects(q)
		}
		if q.message > 0 {
			s.nodes[q.stream].(*stream).forget(q.message - 1)
		}
		s.requests.put(r)
	}
}

// A node is what can be called.
type node interface {
	// pick returns the instance for the next attempt of a call, or none, and
	// whether there is any way to go.
	pick(d *edge, c *call) (int32, bool)
	// enter takes a frame in that has arrived.
	enter(j int32)
	// resume goes on with a frame whose call i has ended.
	resume(j, i int32, r result)
	// abandon is told that the caller of a frame has given up.
	abandon(j int32)
}
