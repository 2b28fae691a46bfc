package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"

	"example.test/eddy/internal/condition"
)

// A dictionary is the table conditions in memory: 40 small numbers a request
// are cheap to store, 40 texts are not. Numbers are never given out twice.
//
// Its lock is held for reading by whoever reads observations, from before the
// query until the numbers are turned into conditions, so that none disappears
// in between.
type dictionary struct {
	mu   sync.RWMutex
	ids  map[condition.Condition]uint32
	byID map[uint32]condition.Condition
	next uint32

	// seen translates the numbers of the dictionary that source is, as far as
	// they were met; 0 stands for not yet, other values are one too high. Only
	// the writer uses both.
	source *condition.Dictionary
	seen   []uint32
}

type numbered struct {
	id uint32
	condition.Condition
}

// load reads the table.
func (d *dictionary) load(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, query("conditions"))
	if err != nil {
		return fmt.Errorf("conditions: %w", err)
	}
	defer rows.Close()
	d.ids = make(map[condition.Condition]uint32)
	d.byID = make(map[uint32]condition.Condition)
	d.source, d.seen = nil, nil
	for rows.Next() {
		var n numbered
		if err := rows.Scan(&n.id, &n.Entity, &n.Dimension, &n.Value); err != nil {
			return fmt.Errorf("conditions: %w", err)
		}
		d.ids[n.Condition] = n.id
		d.byID[n.id] = n.Condition
		d.next = max(d.next, n.id+1)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("conditions: %w", err)
	}
	return nil
}

// translate appends "[1,2,3]" for the conditions ids of source to b, and those
// that are not in the table yet to fresh.
func (d *dictionary) translate(b []byte, source *condition.Dictionary, ids []condition.ID, fresh *[]numbered) ([]byte, error) {
	if d.source != source {
		d.source, d.seen = source, nil
	}
	b = append(b, '[')
	for i, id := range ids {
		if int(id) >= len(d.seen) {
			if err := d.extend(id); err != nil {
				return nil, err
			}
		}
		if d.seen[id] == 0 {
			d.seen[id] = d.number(source.Condition(id), fresh) + 1
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(d.seen[id]-1), 10)
	}
	return append(b, ']'), nil
}

// extend makes room for the numbers that source has given out.
func (d *dictionary) extend(id condition.ID) error {
	known := 0
	if d.source != nil {
		known = len(d.source.All())
	}
	if int(id) >= known {
		return fmt.Errorf("condition %d is not in the dictionary of %d", id, known)
	}
	d.seen = append(d.seen, make([]uint32, known-len(d.seen))...)
	return nil
}

// number returns the number of c, a new one if it has none.
func (d *dictionary) number(c condition.Condition, fresh *[]numbered) uint32 {
	c = condition.Condition{Entity: text(c.Entity), Dimension: text(c.Dimension), Value: text(c.Value)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if id, ok := d.ids[c]; ok {
		return id
	}
	id := d.next
	d.next++
	d.ids[c] = id
	d.byID[id] = c
	*fresh = append(*fresh, numbered{id, c})
	return id
}

// forget undoes what translate did, after the transaction was rolled back.
func (d *dictionary) forget(fresh []numbered) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range fresh {
		delete(d.ids, n.Condition)
		delete(d.byID, n.id)
	}
	d.source, d.seen = nil, nil
}
