package sim

// Kinds of events of a workload.
const (
	workloadArrival uint16 = iota + 1 // a user asks for something
	workloadThought                   // a user of a closed workload has thought
	workloadBurst                     // a burst begins or ends
	workloadSlot                      // of its schedule
	workloadJob                       // of a slot begins
)

// A workload is users that come without looking at how the system is doing, or a
// number of them who each wait for an answer and think before they ask again.
type workload struct {
	sim     *Sim
	id      int32
	ent     uint32
	base    Workload
	spec    Workload
	edge    *edge
	timed   bool // by its policy, and not by patience
	arrival draws
	bursts  draws
	key     uint64
	number  uint64
	think   sampler
	bits    []uint64 // atoms of the attributes
	begun   bool
	pending Handle
	due     Time
	rate    float64 // at which the wait passes
	left    float64 // of the wait of mean 1, when the rate is 0
	bursty  bool    // a burst is under way
	slots   slots
}

// begin schedules the first arrivals.
func (w *workload) begin() {
	w.begun = true
	if w.spec.Schedule.Every > 0 {
		w.spec.Schedule.begin(w)
		return
	}
	if w.spec.Closed > 0 {
		for user := range w.spec.Closed {
			w.ponder(int32(user), 0)
		}
		return
	}
	w.left = w.arrival.exp()
	w.schedule()
	if w.spec.Rate.Burst.Factor > 0 {
		w.burst(w.spec.Rate.Burst.Every.Seconds())
	}
}

func (w *workload) burst(mean float64) {
	w.sim.engine.At(w.sim.engine.now+seconds(mean*w.bursts.exp()), w.ent, workloadBurst, 0)
}

// pace is the rate at which candidates come. Those that are too many for the
// rate of the hour are thinned out.
func (w *workload) pace() float64 {
	rate := w.spec.Rate.peak()
	if w.bursty {
		rate *= w.spec.Rate.Burst.Factor
	}
	return rate
}

func (w *workload) schedule() {
	w.due, w.pending, w.rate = Never, Handle{}, w.pace()
	if w.rate > 0 {
		w.due = w.sim.engine.now + seconds(w.left/w.rate)
		w.pending = w.sim.engine.At(w.due, w.ent, workloadArrival, 0)
	}
}

// repace lets what is left of the wait for the next user pass at a new rate.
func (w *workload) repace() {
	if w.rate > 0 {
		w.left = float64(w.due-w.sim.engine.now) / 1e9 * w.rate
		w.sim.engine.Cancel(w.pending)
	}
	w.schedule()
}

func (w *workload) apply(over func(instance int, set setter)) {
	spec := w.base
	over(0, spec.set)
	before := w.spec
	w.spec = spec
	w.think = newSampler(spec.Think)
	if spec.Patience != before.Patience && !w.timed {
		p := w.edge.spec
		p.Timeout = spec.Patience
		w.edge.base.Timeout = spec.Patience
		w.edge.refresh(p)
	}
	if w.begun && spec.Closed == 0 && spec.Schedule.Every == 0 {
		w.repace()
	}
}

// Handle carries out what was scheduled.
func (w *workload) Handle(e *Engine, kind uint16, a uint64) {
	switch kind {
	case workloadArrival:
		w.left = w.arrival.exp()
		w.schedule()
		w.number++
		r := &w.spec.Rate
		if r.varies() && draw(mix(w.key^w.number), forRoute, 0, 0)*r.peak() >= r.at(e.now) {
			return
		}
		w.ask(w.number, none, 0)
	case workloadThought:
		w.number++
		w.ask(w.number, int32(a), 0)
	case workloadSlot:
		w.slot()
	case workloadJob:
		w.job(int32(a>>32), int32(uint32(a)))
	case workloadBurst:
		w.bursty = !w.bursty
		mean := w.spec.Rate.Burst.Every.Seconds()
		if w.bursty {
			mean = w.spec.Rate.Burst.For.Seconds()
		}
		w.burst(mean)
		w.repace()
	}
}

// ask sends one request.
func (w *workload) ask(number uint64, user, reloads int32) {
	s := w.sim
	i := s.requests.get()
	q := s.requests.at(i)
	*q = request{
		key: mix(w.key ^ number), number: number, start: s.engine.now, workload: w.id, reloads: reloads, user: user,
	}
	for k, b := range w.bits {
		if share := w.spec.Attributes[k].Share; share == 0 || draw(q.key, forAttribute, k, 0) < share {
			q.met |= b
			q.tags |= 1 << k
		}
	}
	s.offered(q)
	c := w.edge.begin(i, none, none, false)
	w.edge.send(c)
}

// ponder lets a user of a closed workload think.
func (w *workload) ponder(user int32, number uint64) {
	u := draw(mix(w.key^number<<20^uint64(user)), forThink, 0, 0)
	w.sim.engine.At(w.sim.engine.now+seconds(w.think.at(u)), w.ent, workloadThought, uint64(user))
}

// ended is told that a request of the workload is over, before it is forgotten.
func (w *workload) ended(q *request, ok bool) {
	switch {
	case w.spec.Schedule.Every > 0:
		if ok {
			w.slots.runs[q.reloads]++
		}
	case !ok && int(q.reloads) < w.spec.Reload:
		w.number++
		w.ask(w.number, q.user, q.reloads+1)
	case q.user != none:
		w.ponder(q.user, q.number)
	}
}

// set gives a parameter a value.
func (w *Workload) set(param string, v any) error {
	switch param {
	case "rate":
		if r, ok := v.(Rate); ok {
			w.Rate = r
			return w.Rate.validate()
		}
		w.Rate = Rate{}
		return asNumber(param, v, &w.Rate.Const)
	case "patience":
		return asDuration(param, v, &w.Patience)
	case "reload":
		return asInt(param, v, &w.Reload)
	case "think":
		return asDist(param, v, &w.Think)
	case "speaks":
		return asText(param, v, &w.Speaks)
	case "size.mean":
		return asNumber(param, v, &w.Size.Mean)
	}
	if known, err := w.Schedule.set(param, v); known {
		return err
	}
	return unknownParam(param, "workload", "rate", "patience", "reload", "think", "speaks", "size.mean", scheduleParams)
}
