package fence_test

import (
	"context"
	"database/sql"
	"fmt"

	"example.test/eddy/phase/fence"
)

// A write and its check are one transaction. The second holder sealed, so the
// write of the first, which comes late, changes nothing.
func ExampleSQL() {
	db, err := sql.Open("sqlite", "file::memory:?cache=shared")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	ctx := context.Background()
	db.SetMaxOpenConns(1) // the database is this one connection
	if _, err := db.ExecContext(ctx, fence.Schema+"; CREATE TABLE runs (job TEXT)"); err != nil {
		fmt.Println(err)
		return
	}
	run := func(token fence.Token, job string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := fence.SQL(ctx, tx, fence.SQLite, "shop/scheduler/cron", token); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO runs VALUES (?)", job); err != nil {
			return err
		}
		return tx.Commit()
	}

	fmt.Println(run(302, "billing at 02:00"))
	fmt.Println(fence.SQL(ctx, db, fence.SQLite, "shop/scheduler/cron", 304)) // the new holder seals
	fmt.Println(run(302, "billing at 03:00"))
	// Output:
	// <nil>
	// <nil>
	// shop/scheduler/cron: token 302 is stale
}
