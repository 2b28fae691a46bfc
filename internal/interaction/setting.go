package interaction

import (
	"cmp"
	"slices"
	"time"
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
	tick     int64
	rows     []int32
}

// moments divides the rows of each location into short times.
func moments(t Table, g grouping) []moment {
	rows := make([][]int32, len(g.places))
	for i, loc := range g.location {
		rows[loc] = append(rows[loc], int32(i))
	}
	var out []moment
	for loc, members := range rows {
		if len(members) == 0 {
			continue
		}
		first, last := t.Rows[members[0]].Time, t.Rows[members[0]].Time
		for _, i := range members {
			if at := t.Rows[i].Time; at.Before(first) {
				first = at
			} else if at.After(last) {
				last = at
			}
		}
		n := min(max(len(members)/momentRows, 1), mostMoments)
		width := max(last.Sub(first)/time.Duration(n)+1, 1)
		ticks := make(map[int64][]int32)
		for _, i := range members {
			k := int64(t.Rows[i].Time.Sub(first) / width)
			ticks[k] = append(ticks[k], i)
		}
		for k, r := range ticks {
			out = append(out, moment{int32(loc), k, r})
		}
	}
	slices.SortFunc(out, func(a, b moment) int {
		return cmp.Or(cmp.Compare(a.location, b.location), cmp.Compare(a.tick, b.tick))
	})
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
	ms := moments(t, g)
	if len(ms) < 2 {
		return
	}
	entity := make([]int32, len(c.list)) // of each class, or -1
	number := make(map[string]int32)
	for _, cond := range t.Conditions {
		if _, ok := number[cond.Entity]; cond.Entity != "" && !ok {
			number[cond.Entity] = int32(len(number))
		}
	}
	of := make([]int32, len(t.Conditions))
	for id, cond := range t.Conditions {
		of[id] = -1
		if cond.Entity != "" {
			of[id] = number[cond.Entity]
		}
	}
	for k := range c.list {
		entity[k] = of[c.list[k].first]
	}

	among := make([]share, len(c.list))  // requests of the location
	within := make([]share, len(c.list)) // requests that met the entity
	state := make([]int8, len(c.list))   // at the last moment: on 1, off -1
	changed := make([]bool, len(c.list)) // in time, at one location
	has := make([]float64, len(c.list))
	met := make([]float64, len(number))
	seen := make([]int32, len(number))
	for i := range seen {
		seen[i] = -1
	}
	for j, m := range ms {
		if j > 0 && ms[j-1].location != m.location {
			clear(state)
		}
		clear(has)
		clear(met)
		var all float64
		for _, i := range m.rows {
			r := t.Rows[i]
			n := float64(r.Total)
			all += n
			for _, id := range r.Conditions {
				if e := of[id]; e >= 0 && seen[e] != i {
					seen[e] = i
					met[e] += n
				}
				if k := c.of[id]; k >= 0 && c.list[k].first == id {
					has[k] += n
				}
			}
		}
		for k := range has {
			could := all
			among[k].add(has[k], all)
			if e := entity[k]; e >= 0 {
				could = met[e]
				within[k].add(has[k], could)
			}
			if could == 0 {
				continue
			}
			now := int8(-1)
			if has[k] >= could/2 {
				now = 1
			}
			changed[k] = changed[k] || state[k] == -now
			state[k] = now
		}
	}
	for k := range c.list {
		switch {
		case changed[k] && (among[k].spread() <= settled ||
			entity[k] >= 0 && within[k].has < within[k].all && within[k].spread() <= settled):
			c.list[k].context = environment
		case among[k].spread() <= settled:
			c.list[k].context = place
		}
	}
}

func (s *share) add(has, all float64) {
	s.has += has
	s.all += all
	s.mixed += min(has, all-has)
}
