package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"modernc.org/sqlite"
)

// ledgerName is what the telemetry calls the orders database.
const ledgerName = "orders-db"

// ledgerConnections is the size of the pool that each instance of payments has.
const ledgerConnections = 8

// A ledger is one instance's pool of connections to the orders database, with
// the spans and metrics that a database client's instrumentation emits.
type ledger struct {
	db       *sql.DB
	tracer   trace.Tracer
	measured metric.Registration
}

func dialLedger(path string) (*sql.DB, error) {
	options := url.Values{"_pragma": {"busy_timeout(3000)", "journal_mode(WAL)", "synchronous(OFF)"}}
	db, err := sql.Open("sqlite", "file:"+path+"?"+options.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(ledgerConnections)
	db.SetMaxIdleConns(ledgerConnections)
	return db, nil
}

// createLedger makes the schema that payments 3.0 knows.
func createLedger(ctx context.Context, path string) error {
	db, err := dialLedger(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS orders (
			id      INTEGER PRIMARY KEY,
			user    TEXT    NOT NULL,
			amount  INTEGER NOT NULL,
			created INTEGER NOT NULL
		);
		CREATE INDEX IF NOT EXISTS orders_by_user ON orders (user, created);`)
	if err != nil {
		err = fmt.Errorf("create tables in %s: %w", path, err)
	}
	return errors.Join(err, db.Close())
}

func openLedger(path string, emit *emitter) (*ledger, error) {
	db, err := dialLedger(path)
	if err != nil {
		return nil, err
	}
	l := &ledger{db: db, tracer: emit.tracer}
	if err := l.measure(emit.metrics.Meter(scope)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

// measure reports the pool by the names of the semantic conventions.
func (l *ledger) measure(m metric.Meter) error {
	count, err := m.Int64ObservableUpDownCounter("db.client.connection.count", metric.WithUnit("{connection}"))
	if err != nil {
		return err
	}
	most, err := m.Int64ObservableUpDownCounter("db.client.connection.max", metric.WithUnit("{connection}"))
	if err != nil {
		return err
	}
	pool := []attribute.KeyValue{semconv.DBClientConnectionPoolName(ledgerName), semconv.DBSystemNameSQLite}
	used := metric.WithAttributes(append(pool[:2:2], semconv.DBClientConnectionStateUsed)...)
	idle := metric.WithAttributes(append(pool[:2:2], semconv.DBClientConnectionStateIdle)...)
	l.measured, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stats := l.db.Stats()
		o.ObserveInt64(count, int64(stats.InUse), used)
		o.ObserveInt64(count, int64(stats.Idle), idle)
		o.ObserveInt64(most, int64(stats.MaxOpenConnections), metric.WithAttributes(pool...))
		return nil
	}, count, most)
	return err
}

// Close closes the pool.
func (l *ledger) Close() error { return errors.Join(l.measured.Unregister(), l.db.Close()) }

// owed is what a user has ordered in the last day.
func (l *ledger) owed(ctx context.Context, user string) (amount int64, err error) {
	const query = `SELECT coalesce(sum(amount), 0) FROM orders WHERE user = ? AND created > ?`
	ctx, span := l.start(ctx, "SELECT", query)
	defer func() { end(span, err) }()
	err = l.db.QueryRowContext(ctx, query, user, time.Now().Add(-24*time.Hour).Unix()).Scan(&amount)
	return amount, err
}

// insert books a charge and returns the number of the order.
func (l *ledger) insert(ctx context.Context, c charge) (order int64, err error) {
	query, values := `INSERT INTO orders (user, amount, created) VALUES (?, ?, ?)`, []any{c.User, c.Amount, time.Now().Unix()}
	if c.Coupon != "" {
		query, values = `INSERT INTO orders (user, amount, created, coupon) VALUES (?, ?, ?, ?)`, append(values, c.Coupon)
	}
	ctx, span := l.start(ctx, "INSERT", query)
	defer func() { end(span, err) }()
	result, err := l.db.ExecContext(ctx, query, values...)
	if err != nil {
		return 0, fmt.Errorf("book order: %w", err)
	}
	return result.LastInsertId()
}

// start begins the span of a query on the orders table.
func (l *ledger) start(ctx context.Context, operation, query string) (context.Context, trace.Span) {
	return l.tracer.Start(ctx, operation+" orders", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		semconv.DBSystemNameSQLite,
		semconv.DBNamespace(ledgerName),
		semconv.DBCollectionName("orders"),
		semconv.DBOperationName(operation),
		semconv.DBQuerySummary(operation+" orders"),
		semconv.DBQueryText(query),
		semconv.ServerAddress(ledgerName)))
}

func end(span trace.Span, err error) {
	if err != nil {
		code := "unknown"
		if e, ok := errors.AsType[*sqlite.Error](err); ok {
			code = strconv.Itoa(e.Code())
		}
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(semconv.DBResponseStatusCode(code), semconv.ErrorTypeKey.String("sqlite "+code))
	}
	span.End()
}

// backup copies the orders database to another file, as the nightly job does.
func backup(ctx context.Context, path, to string) error {
	db, err := dialLedger(path)
	if err != nil {
		return err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, db.Close())
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	return errors.Join(err, db.Close())
}
