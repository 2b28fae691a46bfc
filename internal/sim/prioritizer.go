package sim

import (
	"math"
	"time"
)

// Constants of failsafe-go's priority limiter.
const (
	levelsOfPriority = 100 // levels within a priority
	levelWindow      = 1000
	queueingFrom     = 2 // times the limit: from so many waiting on, some are refused
	queueingUpTo     = 3 // and at so many, all
)

// A prioritizer says which attempts may wait for an adaptive limiter that is full:
// those whose level is no lower than a threshold. It is failsafe-go's, of one
// limiter; there a higher level is more important, and so it is here.
type prioritizer struct {
	window    []int16 // levels of the last attempts that came while it was full
	counts    [priorities * levelsOfPriority]int16
	head      int
	threshold int
	due       Time // of the next calibration
}

// level is that of an attempt: at random within its priority.
func (d *edge) level(c *call) int {
	q := d.sim.requests.at(c.req)
	p := d.sim.workloads[q.workload].spec.Priority
	u := draw(q.key, forPriority, int(d.id), int(c.serial))
	return (priorities-1-p)*levelsOfPriority + int(u*levelsOfPriority)
}

// admits reports whether an attempt of a level may wait behind so many others.
func (p *prioritizer) admits(now, every Time, level, waiting, limit int) bool {
	if every == 0 {
		every = Time(time.Second)
	}
	if now >= p.due {
		p.calibrate(waiting, limit)
		p.due = now - now%every + every
	}
	if waiting >= queueingUpTo*limit || level < p.threshold {
		return false
	}
	p.record(level)
	return true
}

// calibrate sets the threshold to the quantile of levels that is to be refused.
func (p *prioritizer) calibrate(waiting, limit int) {
	p.threshold = 0
	from, upTo := queueingFrom*limit, queueingUpTo*limit
	if waiting < from || len(p.window) == 0 {
		return
	}
	rate := min(1, float64(waiting-from)/float64(upTo-from))
	if rate == 0 {
		return
	}
	want, n := max(1, int(math.Ceil(float64(len(p.window))*rate))), 0
	for level, k := range p.counts {
		if n += int(k); n >= want {
			p.threshold = level
			return
		}
	}
}

func (p *prioritizer) record(level int) {
	if len(p.window) < levelWindow {
		p.window = append(p.window, int16(level))
	} else {
		p.counts[p.window[p.head]]--
		p.window[p.head] = int16(level)
		p.head = (p.head + 1) % levelWindow
	}
	p.counts[level]++
}

// queue lets an attempt wait for the adaptive limiter, or refuses it.
func (d *edge) queue(i int32, g *gate) {
	s := d.sim
	c := s.calls.at(i)
	if g.levels == nil {
		g.levels = &prioritizer{}
	}
	if !g.levels.admits(s.engine.now, Time(d.spec.AdaptiveLimiter.Calibrate), d.level(c), g.permits.n, int(g.adaptive.limit)) {
		d.ended(i, resultShed)
		return
	}
	g.permits.push(s, i)
	c.waits = waitsForPermit
}

// permit lets those go on that have waited longest, as far as the limit allows.
func (d *edge) permit(g *gate) {
	s := d.sim
	for g.permits.n > 0 {
		n, ok := g.adaptive.permit()
		if !ok {
			return
		}
		i := g.permits.head
		g.permits.remove(s, i)
		c := s.calls.at(i)
		if c.moot() {
			g.adaptive.inside--
			d.ended(i, resultCancelled)
			continue
		}
		c.passed |= passedAdaptive
		c.inside = int32(n)
		d.launch(i)
	}
}
