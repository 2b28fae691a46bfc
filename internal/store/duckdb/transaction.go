package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/store"
)

// A transaction is what the writer has begun. It stages rows in temporary
// tables with DuckDB's appender, and moves them with SQL; only spans go into
// their table at once.
type transaction struct {
	conn *sql.Conn
}

// write runs do in a transaction, and commits if it returns nil. The caller
// holds s.mu.
func (s *Store) write(ctx context.Context, do func(transaction) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	// What was interrupted may have happened or not; so these cannot be.
	whole := context.WithoutCancel(ctx)
	t := transaction{s.writer}
	if err := t.exec(whole, "begin"); err != nil {
		return err
	}
	if err := do(t); err != nil {
		return errors.Join(err, t.exec(whole, "rollback"))
	}
	if err := t.exec(whole, "commit"); err != nil {
		// DuckDB has rolled back by itself, unless it could not even do that;
		// then it refuses everything from now on.
		_ = t.exec(whole, "rollback")
		return err
	}
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return ctx.Err()
}

// exec runs sql/name.sql.
func (t transaction) exec(ctx context.Context, name string, args ...any) error {
	if _, err := t.conn.ExecContext(ctx, query(name), args...); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// stage creates the temporary table new_<what> by sql/stage_<what>.sql and
// lets rows add to it.
func (t transaction) stage(ctx context.Context, what string, rows func(add addRow) error) error {
	if err := t.exec(ctx, "stage_"+what); err != nil {
		return err
	}
	return fill(ctx, t.conn, "temp", "new_"+what, rows)
}

// fill lets rows add to a table; the empty catalog is that of the file. Values,
// and bytes in them, are copied by add.
func fill(ctx context.Context, conn *sql.Conn, catalog, table string, rows func(add addRow) error) error {
	err := conn.Raw(func(conn any) error {
		a, err := duck.NewAppender(conn.(driver.Conn), catalog, "", table)
		if err != nil {
			return err
		}
		if err := rows(a.AppendRow); err != nil {
			return errors.Join(err, a.Close())
		}
		return a.CloseWithCancel(ctx)
	})
	if err != nil {
		return fmt.Errorf("fill %s: %w", table, err)
	}
	return nil
}

// addRow adds one row to a table.
type addRow func(values ...driver.Value) error
