package sim

import (
	"fmt"
	"slices"
	"time"
)

// A Schedule makes a workload that of a scheduler: its requests are jobs that come
// at fixed times, and not users. The zero Schedule is none.
type Schedule struct {
	Every  time.Duration // a slot every so often; 0: there is no schedule
	Offset time.Duration // of the first slot: Every
	Jobs   int           // requests a slot: 1
	Jitter Dist          // how much later than its slot each job begins
	// Each instance of the workload's entry keeps the time and runs its own jobs.
	// If the entry has a lease, one does so only while it believes to hold that.
	Each bool
}

func (v *validation) schedule(where string, w *Workload) {
	c := &w.Schedule
	if c.Every == 0 {
		return
	}
	v.period(where, "schedule.every", c.Every)
	v.atLeast0(where, "schedule.offset, schedule.jobs", float64(c.Offset), float64(c.Jobs))
	if c.Jobs > maxJobs {
		v.wrong(where, "schedule.jobs %d: want %d at most", c.Jobs, maxJobs)
	}
	v.check(where, "schedule.jitter", c.Jitter.validate())
	if w.Closed > 0 || w.Reload > 0 {
		v.wrong(where, "a schedule with closed users, or users who reload: want either")
	}
}

// set gives a parameter a value, if it is one of a schedule.
func (c *Schedule) set(param string, v any) (known bool, err error) {
	switch param {
	case "schedule.jobs":
		n := 0
		if err := asInt(param, v, &n); err != nil || n < 0 || n > maxJobs {
			return true, wrongParam(param, v, fmt.Sprintf("a whole number from 0 to %d", maxJobs))
		}
		c.Jobs = n
		return true, nil
	case "schedule.jitter":
		return true, asDist(param, v, &c.Jitter)
	}
	return false, nil
}

// maxJobs is how many a slot may have.
const maxJobs = 10000

// scheduleParams are the parameters of a Schedule, for messages.
const scheduleParams = "schedule.jobs, schedule.jitter"

// ScheduleCount is what became of the slots of a schedule, in the whole run.
type ScheduleCount struct {
	Slots   int
	Runs    int // jobs that succeeded
	Doubled int // of these, more than the slot was to have
	Missed  int // that succeeded at no time, of the slots before the last
}

// slots is the state of a schedule.
type slots struct {
	runs []int16 // that succeeded, by slot
	want []int16
}

func (c slots) clone() slots { return slots{slices.Clone(c.runs), slices.Clone(c.want)} }

// begin schedules the first slot.
func (c *Schedule) begin(w *workload) {
	first := c.Offset
	if first == 0 {
		first = c.Every
	}
	w.sim.engine.At(w.sim.engine.now+Time(first), w.ent, workloadSlot, 0)
}

// slot begins the jobs of a slot, on each instance that keeps the time, or once.
func (w *workload) slot() {
	e, c := &w.sim.engine, &w.spec.Schedule
	e.At(e.now+Time(c.Every), w.ent, workloadSlot, 0)
	n := uint64(len(w.slots.runs))
	w.slots.runs, w.slots.want = append(w.slots.runs, 0), append(w.slots.want, int16(max(c.Jobs, 1)))
	if !c.Each {
		w.jobs(n, none)
		return
	}
	for _, t := range w.sim.nodes[w.edge.callee].(*service).stations {
		if t.up && t.listed && t.speed > 0 {
			w.jobs(n, int32(t.instance))
		}
	}
}

// jobs begins those of a slot and an instance, each after its jitter.
func (w *workload) jobs(slot uint64, instance int32) {
	e := &w.sim.engine
	jitter := newSampler(w.spec.Schedule.Jitter)
	for k := range max(w.spec.Schedule.Jobs, 1) {
		u := unit(mix(w.key ^ slot<<32 ^ uint64(k)<<16 ^ uint64(instance+1)))
		e.At(e.now+seconds(jitter.at(u)), w.ent, workloadJob, slot<<32|uint64(uint32(instance)))
	}
}

// job sends one, if its instance is to run it.
func (w *workload) job(slot int32, instance int32) {
	if instance != none {
		v := w.sim.nodes[w.edge.callee].(*service) // as Validate has seen
		if v.lease != nil && w.sim.engine.now >= v.lease.believes[instance] {
			return
		}
	}
	w.number++
	w.ask(w.number, instance, slot)
}

// count says what became of the slots.
func (c *slots) count() ScheduleCount {
	out := ScheduleCount{Slots: len(c.runs)}
	for i, n := range c.runs {
		out.Runs += int(n)
		out.Doubled += max(0, int(n-c.want[i]))
		if i < len(c.runs)-1 {
			out.Missed += max(0, int(c.want[i]-n))
		}
	}
	return out
}
