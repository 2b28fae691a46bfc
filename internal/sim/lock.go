package sim

// locks are those of the rows of one shard, and of its table as a whole.
type locks struct {
	rows  []lock
	table deque // writes that wait until nobody has locked the table
}

// A lock has a holder and a queue, which is linked through the frames.
type lock struct {
	holder     int32
	head, tail int32
}

func (l *locks) refresh(t *station) {
	for len(l.rows) < t.spec.locks {
		l.rows = append(l.rows, lock{holder: none, head: none, tail: none})
	}
	for !t.spec.locked && l.table.n > 0 {
		j := l.table.popFront()
		if t.spec.locks == 0 || l.takeRow(t, j) {
			t.locksHeld(j)
		}
	}
}

// take reports whether a write got its locks at once. It holds its server while
// it waits: that is how one lock stops everything.
func (l *locks) take(t *station, j int32) bool {
	if t.spec.locked {
		t.sim.frames.at(j).stage = stageLocked
		l.table.push(j)
		return false
	}
	return l.takeRow(t, j)
}

func (l *locks) takeRow(t *station, j int32) bool {
	f := t.sim.frames.at(j)
	f.row = f.key % int32(t.spec.locks)
	k := &l.rows[f.row]
	if k.holder == none {
		k.holder = j
		return true
	}
	f.stage = stageLocked
	f.link = none
	if k.head == none {
		k.head = j
	} else {
		t.sim.frames.at(k.tail).link = j
	}
	k.tail = j
	return false
}

// give hands the lock of a frame to the next.
func (l *locks) give(t *station, f *frame) {
	k := &l.rows[f.row]
	f.row = none
	k.holder = k.head
	if k.head == none {
		return
	}
	j := k.head
	n := t.sim.frames.at(j)
	k.head = n.link
	n.link = none
	if n.stop {
		t.leave(j, resultCancelled) // which hands it on
		return
	}
	t.locksHeld(j)
}
