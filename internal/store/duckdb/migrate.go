package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// migrate brings the tables to the newest version, each step in a transaction
// of its own. The files sql/migrations/NNNN_what.sql are the steps; one that
// was released never changes.
func migrate(ctx context.Context, conn *sql.Conn) error {
	steps, err := fs.Glob(files, "sql/migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("schema version %d is newer than %d, the newest that this eddy knows: "+
			"use the eddy that wrote it, or another data directory", version, len(steps))
	}
	for i := version; i < len(steps); i++ {
		if err := applyStep(ctx, conn, steps[i], i+1); err != nil {
			return fmt.Errorf("migration %s: %w", steps[i], err)
		}
	}
	return nil
}

// schemaVersion returns 0 for an empty file.
func schemaVersion(ctx context.Context, conn *sql.Conn) (int, error) {
	var tables, ours int
	if err := conn.QueryRowContext(ctx, query("tables")).Scan(&tables, &ours); err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	if ours == 0 {
		if tables > 0 {
			return 0, fmt.Errorf("the file holds %d tables and is not an eddy store: use another data directory", tables)
		}
		return 0, nil
	}
	var version int
	if err := conn.QueryRowContext(ctx, query("schema_version")).Scan(&version); err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	return version, nil
}

func applyStep(ctx context.Context, conn *sql.Conn, name string, version int) error {
	number, _, _ := strings.Cut(strings.TrimPrefix(name, "sql/migrations/"), "_")
	if n, err := strconv.Atoi(number); err != nil || n != version {
		return fmt.Errorf("the file's number is %q, want %04d", number, version)
	}
	step, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, string(step)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, query("set_schema_version"), version); err != nil {
		return err
	}
	return tx.Commit()
}
