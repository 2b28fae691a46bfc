package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"fmt"
)

//go:embed sql
var files embed.FS

// query returns the statement in sql/name.sql.
func query(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("BUG: no statement " + name)
	}
	return string(text)
}

// A scanner is one row of an answer.
type scanner interface{ Scan(dest ...any) error }

// A querier is the pool of connections, or one of them.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs sql/name.sql and calls use for every row.
func (s *Store) each(ctx context.Context, name string, use func(scanner) error, args ...any) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	return each(ctx, s.db, name, use, args...)
}

func each(ctx context.Context, q querier, name string, use func(scanner) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query(name), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := use(rows); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// one runs sql/name.sql for its first row. Without one it returns
// sql.ErrNoRows.
func (s *Store) one(ctx context.Context, name string, args []any, dest ...any) error {
	found := false
	err := s.each(ctx, name, func(row scanner) error {
		found = true
		return row.Scan(dest...)
	}, args...)
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// view runs do so that all its queries see the same rows.
func (s *Store) view(ctx context.Context, do func(querier) error) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A begin that is interrupted may have begun; so neither can be.
	whole := context.WithoutCancel(ctx)
	t := transaction{conn}
	if err := t.exec(whole, "begin"); err != nil {
		return err
	}
	err = do(conn)
	if rollback := t.exec(whole, "rollback"); rollback != nil {
		// Whoever got the connection next would see old rows for ever.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		if err == nil {
			err = rollback
		}
	}
	return err
}
