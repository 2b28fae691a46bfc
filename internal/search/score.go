package search

// score puts the prefix with f after it on the shortlists that it is good enough
// for, and reports whether a set with more elements may be better: not if f adds
// nothing to the prefix, or if only failures have both.
func (w *walker) score(f follower) bool {
	depth := len(w.prefix)
	l := w.lay(depth)
	fails, oks, last := &w.on(depth).fails, &w.on(depth).oks, depth+1 == w.order
	limit := uint64(none)
	same := !last && f.failed == l.counted.failed
	if !same {
		limit = w.allowed(l, f.k, f.failed)
	}
	class := oks.of(f.k)
	b, e := oks.weigh(oks.rate, l.oks, class, class, limit)
	if e <= limit && !w.whole {
		class := fails.of(f.k)
		_, own := fails.weigh(fails.rate, w.failures(depth), class, class, none)
		e += own
	}
	if e > limit {
		return true
	}
	if w.whole {
		b -= f.failed
	}
	if same && b == l.counted.ok {
		return false
	}
	if last { // of shorter sets it was asked before
		class := fails.of(f.k)
		_, sum := fails.weigh(fails.surprise, w.failures(depth), class, class, none)
		if w.unlikely(depth+1, w.dear(f.k), float64(sum)*surpriseUnit) {
			return true
		}
	}
	w.prefix = append(w.prefix, f.k)
	w.offer(tally{f.failed, b}, float64(e)*rateUnit)
	w.prefix = w.prefix[:depth]
	return b > 0
}

// offer puts the prefix on the shortlists that it is good enough for.
func (w *walker) offer(now tally, expected float64) {
	o := float64(now.failed)
	n := float64(now.failed + now.ok)
	score := Deviance(o, expected, n, w.f, w.n) - w.price[len(w.prefix)] - w.classes.Dear(w.prefix)
	better := score > w.best.worst && w.beyond(now, expected)
	certain := w.dense && w.share(now) >= Pure && score > w.pure.worst
	next := w.apart && score > w.next.worst && o > expected && !w.classes.follows(w.prefix)
	if !better && !certain && !next || w.redundant(now) {
		return
	}
	if better {
		w.best.offer(w.prefix, score)
	}
	if certain {
		w.pure.offer(w.prefix, score)
	}
	if next {
		w.next.offer(w.prefix, score)
	}
}

// beyond reports whether the prefix, if something in it follows from failures, may explain
// more than that alone does: those failures that have what follows must keep to the rest of
// it, by as much as it costs to name the rest.
func (w *walker) beyond(now tally, expected float64) bool {
	if !w.apart {
		return true
	}
	var alone counted
	dear, follow := 0.0, 0
	for _, k := range w.prefix {
		if c := &w.classes.List[k]; c.Follows {
			alone = w.following[k]
			follow++
		} else {
			dear += c.Dear
		}
	}
	if follow != 1 || len(w.prefix) == 1 {
		return true
	}
	o, all := float64(now.failed), float64(alone.failed)
	within := Deviance(o, expected*all/alone.expected, float64(now.failed+now.ok), all, float64(alone.failed+alone.ok))
	return within > w.price[len(w.prefix)-1]+dear-short
}

// share is the share of the observations that failed, in the table as far as
// the sample tells: failures and successes are sampled apart.
func (w *walker) share(now tally) float64 {
	f, ok := float64(now.failed)*w.failUnit, float64(now.ok)*w.okUnit
	return f / (f + ok)
}

// redundant reports whether the prefix has the same rows as it has without one
// of its elements: it is then no minimal generator.
func (w *walker) redundant(now tally) bool {
	if len(w.prefix) < 3 {
		return false // pairs that are nested are excluded
	}
	ok := now.ok
	if w.whole {
		ok += now.failed
	}
	for drop := range w.prefix {
		if w.lacking(w.spare, w.fails, drop) == now.failed && w.lacking(w.spareOK, w.oks, drop) == ok {
			return true
		}
	}
	return false
}

// lacking counts the prefix less the element at drop.
func (w *walker) lacking(dst []uint64, b *Board, drop int) (n int64) {
	copy(dst, b.alive)
	for i, p := range w.prefix {
		if i != drop {
			n = b.and(dst, dst, b.class[p])
		}
	}
	return n
}
