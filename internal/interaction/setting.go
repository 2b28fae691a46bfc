package interaction

import (
	"slices"

	"example.test/eddy/internal/condition"
)

const (
	// settled is how much of the mixing that chance would give a condition may
	// show among requests of one place and moment and still count as a setting.
	// Changes that fall inside a moment make some; a canary at 1 % makes all.
	settled = 0.15
	// momentRows is how many rows of a location a moment holds on average.
	momentRows  = 8
	mostMoments = 512
)

// A moment is a short time at one location, fine enough to tell what varies
// among requests from what varies with time.
type moment struct {
	location int32
	rows     []int32
}

// moments divides the rows of each location into short times.
func moments(g grouping) []moment {
	var out []moment
	sorted := make([]int32, len(g.nanos)) // by location and tick
	tick := make([]int32, len(g.nanos))
	for loc := range g.places {
		members := g.rows[g.begins[loc]:g.begins[loc+1]]
		if len(members) == 0 {
			continue
		}
		first, last := g.nanos[members[0]], g.nanos[members[0]]
		for _, i := range members {
			first, last = min(first, g.nanos[i]), max(last, g.nanos[i])
		}
		n := min(max(len(members)/momentRows, 1), mostMoments)
		width := (last-first)/int64(n) + 1
		next := make([]int, n+1) // where the rows of each tick go
		for _, i := range members {
			tick[i] = int32((g.nanos[i] - first) / width)
			next[tick[i]+1]++
		}
		for k := range n {
			if next[k+1] > 0 {
				rows := sorted[next[k] : next[k]+next[k+1]]
				out = append(out, moment{location: int32(loc), rows: rows})
			}
			next[k+1] += next[k]
		}
		for _, i := range members {
			sorted[next[tick[i]]] = i
			next[tick[i]]++
		}
		sorted = sorted[len(members):]
	}
	return out
}

// A share adds up how often something held among those of whom it could.
type share struct{ has, all, mixed float64 }

// spread is the mixing within moments over what chance would give.
func (s share) spread() float64 {
	if s.has <= 0 || s.has >= s.all {
		return 0
	}
	return s.mixed / (s.has * (s.all - s.has) / s.all)
}

// settle marks the classes that do not vary among requests of one place and
// moment. A state of an entity is judged among the requests that met the
// entity: those that did not could not have it.
func (c *classes) settle(t Table, g grouping) {
	ms := moments(g)
	if len(ms) < 2 {
		return
	}
	middle := len(ms) / 2
	parts := [2][]moment{ms[:middle], ms[middle:]}
	var walks [2]*walk
	inTwo(len(t.Rows), func(half, from, to int) {
		walks[half] = c.walk(t, parts[half])
		if from == 0 && to == len(t.Rows) {
			walks[1] = c.walk(t, parts[1])
		}
	})
	w := walks[0]
	w.join(walks[1], ms[middle-1].location == ms[middle].location)
	for k := range c.list {
		among, within := w.among[k], w.within[k]
		switch {
		case w.changed[k] && (among.spread() <= settled ||
			c.entity[c.list[k].first] >= 0 && within.has < within.all && within.spread() <= settled):
			c.list[k].context = environment
		case among.spread() <= settled:
			c.list[k].context = place
		}
	}
}

func (s *share) add(has, all float64) {
	s.has += has
	s.all += all
	s.mixed += min(has, all-has)
}

// enter numbers the entities that conditions are of.
func (c *classes) enter(conditions []condition.Condition) {
	number := make(map[string]int32)
	c.entity = make([]int32, len(conditions))
	for id, cond := range conditions {
		n, ok := number[cond.Entity]
		switch {
		case cond.Entity == "":
			n = -1
		case !ok:
			n = int32(len(number))
			number[cond.Entity] = n
		}
		c.entity[id] = n
	}
	c.entities = len(number)
}

// A walk goes through moments in their order and sees which classes vary.
type walk struct {
	among   []share // requests of the location
	within  []share // requests that met the entity
	changed []bool  // in time, at one location
	// first and last are the states at the first and the last moment, of those
	// at the first and the last location, in which there was any: on 1, off -1.
	first, last []int8
}

// walk goes through the moments.
func (c *classes) walk(t Table, ms []moment) *walk {
	n := len(c.list)
	w := &walk{
		among: make([]share, n), within: make([]share, n), changed: make([]bool, n),
		first: make([]int8, n), last: make([]int8, n),
	}
	type meaning struct{ class, entity int32 }
	means := make([]meaning, len(t.Conditions))
	for id := range means {
		means[id] = meaning{-1, c.entity[id]}
	}
	for k := range c.list {
		means[c.list[k].first].class = int32(k)
	}
	has, met := make([]float64, n), make([]float64, c.entities)
	seen := slices.Repeat([]int32{-1}, c.entities)
	opening := true
	for j, m := range ms {
		if j > 0 && ms[j-1].location != m.location {
			clear(w.last)
			opening = false
		}
		clear(has)
		clear(met)
		var all float64
		for _, i := range m.rows {
			r := &t.Rows[i]
			n := float64(r.Total)
			all += n
			for _, id := range r.Conditions {
				x := means[id]
				if e := x.entity; e >= 0 && seen[e] != i {
					seen[e] = i
					met[e] += n
				}
				if x.class >= 0 {
					has[x.class] += n
				}
			}
		}
		for k := range has {
			could := all
			w.among[k].add(has[k], all)
			if e := c.entity[c.list[k].first]; e >= 0 {
				could = met[e]
				w.within[k].add(has[k], could)
			}
			if could == 0 {
				continue
			}
			now := int8(-1)
			if has[k] >= could/2 {
				now = 1
			}
			w.changed[k] = w.changed[k] || w.last[k] == -now
			w.last[k] = now
			if opening && w.first[k] == 0 {
				w.first[k] = now
			}
		}
	}
	return w
}

// join adds what a walk through the moments that follow has seen; connected
// says that these begin at the location where w ended.
func (w *walk) join(o *walk, connected bool) {
	for k := range w.among {
		w.among[k].plus(o.among[k])
		w.within[k].plus(o.within[k])
		w.changed[k] = w.changed[k] || o.changed[k] || connected && w.last[k] != 0 && w.last[k] == -o.first[k]
	}
}

func (s *share) plus(o share) {
	s.has += o.has
	s.all += o.all
	s.mixed += o.mixed
}
