package interaction

// stratify makes strata: each location by buckets of time, where neighbours too
// thin to stand alone are merged.
func (l *ledger) stratify(bucket int64) {
	l.strata, l.locations = 0, l.locations[:0]
	l.buckets, l.until = l.buckets[:0], l.until[:0]
	per := make([][]int, len(l.places)) // cells of each location, by time
	for i := range l.cells {
		at := l.cells[i].location
		per[at] = append(per[at], i)
	}
	var stretches []stretch
	for location, list := range per {
		stretches = stretches[:0]
		for _, i := range list {
			at := floor(l.panes[l.cells[i].pane].start, bucket)
			if n := len(stretches); n == 0 || stretches[n-1].bucket != at {
				stretches = append(stretches, stretch{bucket: at})
			}
			s := &stretches[len(stretches)-1]
			s.cells = append(s.cells, i)
			s.thickness = s.plus(l.cells[i].cell.thickness)
		}
		l.mergeThin(int32(location), stretches)
	}
}

// floor is the multiple of width at or below x, in widths.
func floor(x, width int64) int64 {
	if width <= 0 {
		return 0
	}
	q := x / width
	if x%width < 0 {
		q--
	}
	return q
}

// A stretch is the cells of one location in one bucket of time.
type stretch struct {
	bucket int64
	cells  []int
	thickness
}

// mergeThin makes strata of the stretches of a location, ascending. A stratum
// takes stretches until it is thick enough, and the rest of the location too if
// that would be too thin.
func (l *ledger) mergeThin(location int32, list []stretch) {
	for i := 0; i < len(list); {
		var n, rest thickness
		j := i
		for ; j < len(list) && n.thin(); j++ {
			n = n.plus(list[j].thickness)
		}
		end := j
		for ; end < len(list) && rest.thin(); end++ {
			rest = rest.plus(list[end].thickness)
		}
		if rest.thin() {
			j = end
		}
		for _, s := range list[i:j] {
			for _, c := range s.cells {
				l.cells[c].stratum = int32(l.strata)
			}
		}
		l.locations = append(l.locations, location)
		l.buckets, l.until = append(l.buckets, list[i].bucket), append(l.until, list[j-1].bucket)
		l.strata++
		i = j
	}
}

// A thickness is how much there is in a part of the traffic.
type thickness struct{ observations, rows int }

func (n *thickness) add(r *Row) {
	if r.Total > 0 {
		*n = thickness{n.observations + r.Total, n.rows + 1}
	}
}

func (n thickness) plus(o thickness) thickness {
	return thickness{n.observations + o.observations, n.rows + o.rows}
}

// thin reports whether it is too little to stand alone.
func (n thickness) thin() bool { return n.observations < thinStratum || n.rows < fewInStratum }
