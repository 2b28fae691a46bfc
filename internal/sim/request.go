package sim

// none is no item of an arena.
const none int32 = -1

// A request is what a user asked for. It stays until the last frame that works
// for it has ended, also if the user has gone long before.
type request struct {
	key      uint64 // all its random numbers come from it
	start    Time
	refs     int32 // calls and frames that belong to it
	workload int32
	serial   int32 // attempts that were made for it, which tells their draws apart
}

// A call is what one frame, or the user, wants from a service: one attempt after
// the other until one is answered or the policy gives up.
type call struct {
	req     int32
	parent  int32 // the frame that waits, or none if it is the user
	edge    int32
	child   int32 // the frame that works on the attempt under way, or none
	attempt int32 // from 1
	started Time
	sent    Time // the attempt under way
	timer   Handle
}

// A frame is one attempt at work on an instance.
type frame struct {
	req     int32
	call    int32 // who waits for the answer, or none once nobody does
	station int32
	edge    int32
	attempt int32
	serial  int32
	step    int32 // the next call to make
	repeat  int32 // how many of its repetitions are made
	child   int32 // the call under way, or none
	busy    int32 // place among those at work, or -1
	result  result
	holds   bool    // a server
	work    float64 // seconds at speed 1 that are left when it stands still
	total   float64 // seconds at speed 1 that it was given
	arrived Time
	began   Time
	ends    Time
	expires Time // when the caller gives up
	done    Handle
}

// A result is how an attempt ended.
type result uint8

const (
	resultNone result = iota
	resultOK
	resultError    // the service failed
	resultTimeout  // the caller gave up
	resultRefused  // the queue was full
	resultUpstream // something that it called failed
)

// hold and drop count who still works for a request.
func (s *Sim) hold(r int32) { s.requests.at(r).refs++ }

func (s *Sim) drop(r int32) {
	q := s.requests.at(r)
	q.refs--
	if q.refs == 0 {
		s.requests.put(r)
	}
}
