package sim

// workloadArrival is the event that a user asks for something.
const workloadArrival uint16 = 1

// A workload is users that come without looking at how the system is doing.
type workload struct {
	sim     *Sim
	id      int32
	ent     uint32
	base    Workload
	spec    Workload
	edge    *edge
	arrival Stream
	key     uint64
	serial  uint64
	pending Handle
	due     Time    // when the next one comes
	left    float64 // how much of the unit-mean wait is left while the rate is 0
}

// begin schedules the first arrival.
func (w *workload) begin() {
	w.left = w.arrival.Exp()
	w.schedule()
}

func (w *workload) schedule() {
	w.due, w.pending = Never, Handle{}
	if rate := w.spec.Rate.Const; rate > 0 {
		w.due = w.sim.engine.now + seconds(w.left/rate)
		w.pending = w.sim.engine.At(w.due, w.ent, workloadArrival, 0)
	}
}

// refresh takes a new rate: what is left of the wait for the next user passes
// faster or slower.
func (w *workload) refresh(spec Workload) {
	if before := w.spec.Rate.Const; before != spec.Rate.Const && w.due != 0 {
		if before > 0 {
			w.left = float64(w.due-w.sim.engine.now) / 1e9 * before
			w.sim.engine.Cancel(w.pending)
		}
		w.spec.Rate = spec.Rate
		w.schedule()
	}
	if spec.Patience != w.spec.Patience {
		p := w.edge.spec
		p.Timeout = spec.Patience
		w.edge.refresh(p)
	}
	w.spec = spec
}

// Handle sends one request.
func (w *workload) Handle(e *Engine, _ uint16, _ uint64) {
	s := w.sim
	w.serial++
	r := s.requests.get()
	*s.requests.at(r) = request{key: mix(w.key ^ w.serial), start: e.now, workload: w.id}
	s.offered()
	w.left = w.arrival.Exp()
	w.schedule()
	i := w.edge.begin(r, none)
	w.edge.send(i)
}
