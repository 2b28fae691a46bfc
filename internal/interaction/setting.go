package interaction

const (
	// settled is how much of the mixing that chance would give a condition may
	// show among requests of one place and moment and still count as a setting.
	// Changes that fall inside a moment make some; a canary at 1 % makes all.
	settled = 0.15
	// A condition that most of the time holds for all or for none still varies
	// where it did for mixedPanes panes, with the rarer state in mixedShare of a
	// pane at least: while a new version is rolled out, both serve side by side.
	// They must be several times as many as come from its changes alone.
	mixedPanes     = 5
	mixedShare     = 0.1
	mixedPerChange = 3
)

// A setting is why a condition cannot vary while all else stays equal.
type setting uint8

const (
	// varies: the condition comes and goes among requests of one place and time.
	varies setting = iota
	// environment: it is in force for all or none at a time.
	environment
	// place: it is the same for all requests of a location.
	place
)

// spread is the mixing within moments over what chance would give, for a
// condition that has of all had.
func spread(mixed, has, all float64) float64 {
	if has <= 0 || has >= all {
		return 0
	}
	return mixed / (has * (all - has) / all)
}

// settle marks the classes that do not vary among requests of one place and
// moment. A state of an entity is judged among the requests that met the
// entity: those that did not could not have it.
func (c *classes) settle(l *ledger) {
	met := make([]float64, len(l.catalog.entities))
	for _, p := range l.panes {
		for _, e := range p.met {
			met[e.entity] += e.n
		}
	}
	for k := range c.list {
		m := &l.margins[c.list[k].first]
		steady := spread(m.among, float64(m.total), float64(l.total)) <= settled
		given := false // in force for all or none of those that met the entity
		if e := l.catalog.entity[c.list[k].first]; e >= 0 {
			given = float64(m.total) < met[e] && spread(m.within, float64(m.total), met[e]) <= settled
		}
		switch {
		case !steady && !given:
		case c.changes(l, int32(k)):
			if !c.sideBySide(l, int32(k)) {
				c.list[k].context = environment
			}
		case steady:
			c.list[k].context = place
		}
	}
}

// sideBySide reports whether a class that comes and goes was, for long enough,
// in force for some of the requests and not for others of the same place and
// moment.
func (c *classes) sideBySide(l *ledger, k int32) bool {
	h := l.history(c.list[k].first)
	mixed, changes := 0, 0
	var last float64
	for i, at := range h {
		if at.could == 0 {
			continue
		}
		if at.mixed >= mixedShare*at.could {
			mixed++
		}
		now := -1.0
		if 2*at.has > at.could {
			now = 1
		}
		if i > 0 && last == -now {
			changes++
		}
		last = now
	}
	return mixed >= max(mixedPanes, mixedPerChange*(changes+1))
}

// changes reports whether a class comes into force or ends at some location.
func (c *classes) changes(l *ledger, k int32) bool {
	id := c.list[k].first
	entity := l.catalog.entity[id]
	last := make([]int8, len(l.places))
	cells := l.cells
	for _, p := range l.panes {
		own, col := cells[:len(p.cells)], p.column(id)
		cells = cells[len(p.cells):]
		for i := range own {
			b := &own[i]
			could := float64(b.cell.total())
			if entity >= 0 {
				could = encountered(b.cell.met, entity)
			}
			if could == 0 {
				continue
			}
			now := int8(-1)
			if col != nil && 2*float64(p.within(col, b.cell)) >= could {
				now = 1
			}
			if last[b.location] == -now {
				return true
			}
			last[b.location] = now
		}
	}
	return false
}

// encountered is how many observations met an entity.
func encountered(list []encounter, entity int32) float64 {
	for _, e := range list {
		if e.entity == entity {
			return e.n
		}
	}
	return 0
}
