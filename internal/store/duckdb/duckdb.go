// Package duckdb answers the store's questions in DuckDB SQL.
//
// Everything is in one file, which users can open with the duckdb CLI while no
// Eddy has it open; sql/migrations/0001_tables.sql describes its tables and
// columns. The statements are the files of sql, one a question, and values are
// always bound.
//
// One connection writes, one transaction at a time; a few others read, each
// seeing what was committed when its query began. Writers wait for writers,
// readers wait when all read connections are busy, and neither waits for the
// other. A call that is refused (full disk, closed store, cancelled context)
// has stored nothing. What was stored survives a killed process and, since
// DuckDB syncs its log at each commit, a lost machine.
//
// A file is opened once in a process: two stores on it would not know of each
// other's writes.
//
// Retention is what bounds the file: space that it frees is used again, and
// given back to the disk from the end of the file. Config.MemoryLimit bounds
// memory; beyond it DuckDB spills to a directory beside the file.
package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	duck "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/store"
)

// readers is how many queries run at once. DuckDB spreads a query over its
// threads by itself, so that more connections only take more memory.
const readers = 4

// Config says where the store is and what it may use.
type Config struct {
	// Path is the file. It is created, with its directory, if it is not there.
	Path string
	// MemoryLimit bounds DuckDB's memory in bytes; default 512 MiB, at least
	// 64 MiB.
	MemoryLimit int64
	// Threads is how many threads DuckDB uses; default one for every second
	// processor, at least one. Threads wait for each other by spinning, and
	// whoever fills a store needs the other processors.
	Threads int
}

// Validate reports the first field that cannot be used, and why.
func (c Config) Validate() error {
	switch {
	case c.Path == "":
		return errors.New("path: empty, want a file name")
	case strings.ContainsAny(c.Path, "?\x00"):
		return fmt.Errorf("path %q: contains a question mark or a NUL, which DuckDB cannot open", c.Path)
	case c.MemoryLimit != 0 && c.MemoryLimit < 64<<20:
		return fmt.Errorf("memory limit %d: want at least %d bytes", c.MemoryLimit, 64<<20)
	case c.Threads < 0:
		return fmt.Errorf("threads %d: want at least 1, or 0 for the default", c.Threads)
	}
	return nil
}

// A Store is a store.Store in a DuckDB file. Close it.
type Store struct {
	path       string
	db         *sql.DB
	closed     atomic.Bool
	reading    sync.RWMutex // held for reading by each query, so that Close can wait
	conditions dictionary

	mu     sync.Mutex // held by the one transaction that writes
	writer *sql.Conn
	// resources are those known to be stored, by their hash.
	resources map[duck.UUID]struct{}
	stored    *recall // which spans are
}

var _ store.Store = (*Store)(nil)

// Open opens the file, creates or updates its tables, and checks that this
// process is the only one that has it open.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("store config: %w", err)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", c.Path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	connector, err := duck.NewConnector(path+"?"+options(c), nil)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, explainOpen(path, err))
	}
	s := &Store{path: path, db: sql.OpenDB(connector), resources: make(map[duck.UUID]struct{}), stored: newRecall()}
	s.db.SetMaxOpenConns(1 + readers)
	s.db.SetMaxIdleConns(1 + readers)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// options renders c for DuckDB. Nothing is ever loaded from the network.
//
// The log is moved into the tables when it passes a quarter of the memory, but
// at 128 MiB: the more often, the more often rows are compressed again with
// those that came since; the later, the longer it takes to open the file after
// a crash.
func options(c Config) string {
	limit := c.MemoryLimit
	if limit == 0 {
		limit = 512 << 20
	}
	threads := c.Threads
	if threads == 0 {
		threads = max(1, runtime.GOMAXPROCS(0)/2)
	}
	return fmt.Sprintf("memory_limit=%dKiB&threads=%d&checkpoint_threshold=%dKiB"+
		"&autoinstall_known_extensions=false&autoload_known_extensions=false",
		limit>>10, threads, min(limit/4, 128<<20)>>10)
}

func (s *Store) start(ctx context.Context) error {
	writer, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = writer
	if err := migrate(ctx, writer); err != nil {
		return err
	}
	return s.conditions.load(ctx, writer)
}

// explainOpen says who has the file open and what to do about it, where that
// is why err happened.
func explainOpen(path string, err error) error {
	if !strings.Contains(err.Error(), "Could not set lock on file") {
		return err
	}
	who := "another process"
	holder := regexp.MustCompile(`held in (.+) \(PID (\d+)\)`)
	if m := holder.FindStringSubmatch(err.Error()); m != nil {
		who = fmt.Sprintf("process %s (%s)", m[2], m[1])
	}
	return fmt.Errorf("%s has it open: end that process, or use another data directory; "+
		"to query the data of a running eddy, copy %s and open the copy: %w", who, filepath.Base(path), err)
}

// Close implements store.Store. It waits for running calls, then writes what
// is in the log into the tables, so that the next Open is quick.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading.Lock()
	defer s.reading.Unlock()
	var err error
	if s.writer != nil {
		err = s.writer.Close()
	}
	if err := errors.Join(err, s.db.Close()); err != nil {
		return fmt.Errorf("close store %s: %w", s.path, err)
	}
	return nil
}

// wrap says what was attempted. Whatever fails because the store was closed
// is store.ErrClosed.
func (s *Store) wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if s.closed.Load() && !errors.Is(err, store.ErrClosed) {
		return fmt.Errorf("%s: %w: %w", what, store.ErrClosed, err)
	}
	if strings.Contains(err.Error(), "database has been invalidated") {
		return fmt.Errorf("%s: the file could not be written before and stays closed until eddy is started again: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Path returns the absolute path of the file.
func (s *Store) Path() string { return s.path }
