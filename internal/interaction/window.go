package interaction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
)

// A Window is a stretch of time in panes, which is mined whole, again and again,
// while panes are put in at one end and dropped at the other. Laying rows out
// costs once, when their pane is put in; Mine works on what was laid out, in
// room that it keeps from one run to the next.
//
// It is not safe for concurrent use. It holds the rows' Conditions, which must
// not change, and some hundred bytes beside them a row; whoever fills it bounds
// how many there are.
type Window struct {
	options Options
	catalog *catalog
	builder *paneBuilder
	panes   []*pane  // ascending by start
	margins []margin // by condition, of all panes
	width   int64
	timed   bool
	scratch scratch
}

// NewWindow returns an empty window whose panes are each so long. An error names
// the first option that is not as documented.
func NewWindow(o Options, width time.Duration) (*Window, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("options: %w", err)
	}
	if !o.Since.IsZero() {
		return nil, errors.New("options: since: a window has no time before it")
	}
	if width <= 0 {
		return nil, fmt.Errorf("pane of %v: want a positive duration", width)
	}
	return newWindow(o.withDefaults(), int64(width), true), nil
}

func newWindow(o Options, width int64, timed bool) *Window {
	c := newCatalog(o.Location)
	return &Window{options: o, catalog: c, builder: newPaneBuilder(c, o.Seed), width: width, timed: timed}
}

// Know tells what the numbers of conditions stand for. The list must begin with
// the one that was told before.
func (w *Window) Know(conditions []condition.Condition) {
	w.catalog.extend(conditions)
	w.margins = append(w.margins, make([]margin, len(w.catalog.conditions)-len(w.margins))...)
}

// Put lays out the rows of the pane that starts at start, in place of those that
// it had. An error names the first row that is not as documented, or whose time
// is not in the pane.
func (w *Window) Put(start time.Time, rows []Row) error {
	if err := checkRows(len(w.catalog.conditions), rows, 0, len(rows)); err != nil {
		return err
	}
	for i := range rows {
		if d := rows[i].Time.Sub(start); d < 0 || d >= time.Duration(w.width) {
			return fmt.Errorf("row %d: time %q: want one in the %v after %q", i, stamp(rows[i].Time), time.Duration(w.width), stamp(start))
		}
	}
	p := w.builder.build(start.UnixNano(), w.width, rows)
	i, known := w.find(p.start)
	if known {
		w.forget(i, i+1)
	}
	if len(p.entries) > 0 {
		w.panes = slices.Insert(w.panes, i, p)
		w.count(p)
	}
	return nil
}

// count adds what the columns of a pane count to the margins.
func (w *Window) count(p *pane) {
	for i := range p.columns {
		m := &w.margins[p.columns[i].id]
		*m = m.plus(p.columns[i].margin)
	}
}

// forget drops the panes from one to before another.
func (w *Window) forget(from, to int) {
	for _, p := range w.panes[from:to] {
		for i := range p.columns {
			m := &w.margins[p.columns[i].id]
			*m = m.minus(p.columns[i].margin)
		}
	}
	w.panes = slices.Delete(w.panes, from, to)
}

func (w *Window) find(start int64) (int, bool) {
	return slices.BinarySearchFunc(w.panes, start, func(p *pane, at int64) int { return cmp.Compare(p.start, at) })
}

// Drop forgets the panes that start before a time.
func (w *Window) Drop(before time.Time) {
	i, _ := w.find(before.UnixNano())
	w.forget(0, i)
}

// Mine finds the sets of conditions that explain the failures in the window.
// The same panes and options give the same result. When ctx ends it returns its
// error.
func (w *Window) Mine(ctx context.Context) (Result, error) {
	w.line()
	return w.scratch.explain(ctx, w.options)
}

// line lines up the panes.
func (w *Window) line() {
	w.scratch.ledger.timed, w.scratch.ledger.margins = w.timed, w.margins
	w.scratch.ledger.line(w.catalog, w.panes, int64(w.options.Bucket))
}

// Mine finds the sets of conditions that explain the failures in t.
//
// It is pure: the same table, in whatever order its rows are, and the same
// options give the same result. When ctx ends it returns its error. An error
// names the first row or option that is not as documented.
func Mine(ctx context.Context, t Table, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("options: %w", err)
	}
	if err := check(t); err != nil {
		return Result{}, fmt.Errorf("table: %w", err)
	}
	o = o.withDefaults()
	if !o.Since.IsZero() {
		return mineChange(ctx, t, o)
	}
	rows, failed := 0, 0
	for i := range t.Rows {
		rows, failed = rows+t.Rows[i].Total, failed+t.Rows[i].Failed
	}
	if r, done := untold(rows, failed, o); done {
		return r, nil
	}
	w, err := cut(ctx, t, o)
	if err != nil {
		return Result{}, err
	}
	return w.Mine(ctx)
}

const (
	// fewPanes is into how many panes a table is cut at least, so that states
	// that come and go within it are seen to.
	fewPanes = 60
	// mostBuckets bounds the strata of a long table; beyond it buckets widen.
	mostBuckets = 1000
)

// cut lays a table out in panes.
func cut(ctx context.Context, t Table, o Options) (*Window, error) {
	timed := len(t.Rows) > 0 && !t.Rows[0].Time.IsZero()
	w := newWindow(o, 0, timed)
	w.Know(t.Conditions)
	w.catalog.unlisted = t.Unlisted
	first, count := w.clock(t)
	members, begins := inOrder(t.Rows, count, func(r *Row) int {
		if !timed {
			return 0
		}
		return int((r.Time.UnixNano() - first) / w.width)
	})
	panes := make([]*pane, count)
	build := func(b *paneBuilder, from, to int) {
		var rows []Row
		for i := from; i < to && ctx.Err() == nil; i++ {
			rows = rows[:0]
			for _, k := range members[begins[i]:begins[i+1]] {
				rows = append(rows, t.Rows[k])
			}
			panes[i] = b.build(first+int64(i)*w.width, w.width, rows)
		}
	}
	middle, _ := slices.BinarySearch(begins, len(t.Rows)/2)
	inTwo(len(t.Rows), func(half, from, to int) {
		switch {
		case to-from == len(t.Rows):
			build(w.builder, 0, count)
		case half == 0:
			build(w.builder, 0, min(middle, count))
		default:
			build(newPaneBuilder(w.catalog, w.options.Seed), min(middle, count), count)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.panes = slices.DeleteFunc(panes, func(p *pane) bool { return len(p.entries) == 0 })
	for _, p := range w.panes {
		w.count(p)
	}
	return w, nil
}

// clock chooses how long the panes of a table are, and returns when the first
// one starts and how many there are. Buckets are aligned to multiples of their
// width, and are a whole number of panes.
func (w *Window) clock(t Table) (first int64, panes int) {
	if !w.timed {
		return 0, 1
	}
	low, high := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range t.Rows {
		at := t.Rows[i].Time.UnixNano()
		low, high = min(low, at), max(high, at)
	}
	bucket := int64(w.options.Bucket)
	if n := (high - low) / bucket / mostBuckets; n > 0 {
		bucket *= n + 1
	}
	w.options.Bucket = time.Duration(bucket)
	w.width = bucket
	if span := high - low + 1; span < fewPanes*bucket {
		w.width = bucket / min((fewPanes*bucket+span-1)/span, fewPanes)
	}
	first = floor(low, bucket) * bucket
	return first, int((high-first)/w.width) + 1
}

// inOrder lists the indexes of rows in the order of their groups, which are
// numbered from 0 to n, and where each group begins.
func inOrder(rows []Row, n int, group func(r *Row) int) (members []int32, begins []int) {
	begins = make([]int, n+1)
	of := make([]int32, len(rows))
	for i := range rows {
		of[i] = int32(group(&rows[i]))
		begins[of[i]+1]++
	}
	for g := range n {
		begins[g+1] += begins[g]
	}
	next := slices.Clone(begins)
	members = make([]int32, len(rows))
	for i, g := range of {
		members[next[g]] = int32(i)
		next[g]++
	}
	return members, begins
}
