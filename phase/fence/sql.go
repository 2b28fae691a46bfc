package fence

import (
	"context"
	"database/sql"
	"fmt"
)

// Schema creates the table that SQL needs. Postgres and SQLite take it, and
// running it again does no harm.
const Schema = `CREATE TABLE IF NOT EXISTS eddy_fence (subject TEXT PRIMARY KEY, token BIGINT NOT NULL)`

// A Dialect is how a database writes its parameters.
type Dialect uint8

// The dialects. Both databases have an upsert with a condition, which is what
// makes looking and raising one step.
const (
	Postgres Dialect = iota
	SQLite
)

// An Execer is a *sql.Tx, a *sql.Conn or a *sql.DB.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// SQL refuses a stale token, in the transaction of the write that it protects:
// call it first in tx, and roll back on any error. The row of the subject stays
// locked until tx ends, so that writes of one subject follow each other and a
// larger token waits for the ones before it.
//
// With a *sql.DB, and so in a transaction of its own, it seals: a new holder
// does that once before it says that it leads.
func SQL(ctx context.Context, tx Execer, d Dialect, subject string, t Token) error {
	if err := t.validate(); err != nil {
		note(ctx, subject, t, err)
		return err
	}
	const (
		postgres = `INSERT INTO eddy_fence (subject, token) VALUES ($1, $2) ON CONFLICT (subject) DO UPDATE SET token = excluded.token WHERE eddy_fence.token <= excluded.token`
		sqlite   = `INSERT INTO eddy_fence (subject, token) VALUES (?1, ?2) ON CONFLICT (subject) DO UPDATE SET token = excluded.token WHERE eddy_fence.token <= excluded.token`
	)
	query := postgres
	if d == SQLite {
		query = sqlite
	}
	result, err := tx.ExecContext(ctx, query, subject, int64(t))
	if err != nil {
		return fmt.Errorf("fence %s: %w", subject, err)
	}
	rows, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("fence %s: count rows: %w", subject, err)
	}
	if rows == 0 {
		err := &StaleError{Subject: subject, Token: t}
		note(ctx, subject, t, err)
		return err
	}
	note(ctx, subject, t, nil)
	return nil
}

// Database is a Guard whose tokens are in a database, for resources that are
// written elsewhere but stand beside one, such as a bucket or a queue. Do holds
// a transaction open while the write runs, and is as good as that transaction: a
// database that drops the connection drops the lock. Where the write itself is
// SQL, use SQL in its transaction.
type Database struct {
	DB      *sql.DB
	Dialect Dialect
}

// Seal implements Guard.
func (d Database) Seal(ctx context.Context, subject string, t Token) error {
	return SQL(ctx, d.DB, d.Dialect, subject, t)
}

// Do implements Guard. A write that fails leaves the token where it was, since
// the transaction is rolled back: only what was written counts.
func (d Database) Do(ctx context.Context, subject string, t Token, write func(context.Context) error) error {
	tx, err := d.DB.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("fence %s: %w", subject, err)
	}
	defer tx.Rollback()
	if err := SQL(ctx, tx, d.Dialect, subject, t); err != nil {
		return err
	}
	if err := write(ctx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("fence %s: commit: %w", subject, err)
	}
	return nil
}
