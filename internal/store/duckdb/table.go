package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"example.test/eddy/internal/interaction"
)

// ErrNothingFailed is returned by ReadTable for a table in which no row failed:
// there is nothing to explain.
var ErrNothingFailed = errors.New("no row failed")

// ErrEverythingFailed is returned by ReadTable for a table in which every row
// failed: nothing that did not fail is there to compare with.
var ErrEverythingFailed = errors.New("every row failed")

// ErrNothingSlow and ErrEverythingSlow are the same of a table that is asked about
// slow rows.
var (
	ErrNothingSlow    = errors.New("no row was slow")
	ErrEverythingSlow = errors.New("every row was slow")
)

// A TableSource says which files are one table, what its columns mean, and how
// much may be used to read it. Files and one way to tell failures are required.
type TableSource struct {
	// Files are read as one table; they must have the same columns, in any
	// order. "-" is Stdin, at most once.
	Files []string
	// Stdin is what the file "-" reads. It is spooled to a temporary file,
	// because its beginning is read more than once, and Parquet from its end.
	Stdin io.Reader
	// Format is "csv", "tsv", "jsonl" or "parquet", for files whose names or
	// content do not tell; empty means that they do.
	Format string

	// Failed is "COLUMN", for a column that holds true or false (or 1 or 0, yes
	// or no), or "COLUMN=VALUE". A row whose COLUMN is empty is left out in the
	// first form, and did not fail in the second.
	Failed string
	// Count and Failures are columns of whole numbers, for rows that stand for
	// many observations: how many, and how many of them failed. They are given
	// together, and instead of Failed.
	Count, Failures string
	// Weight is a column that says how many requests an observation that did not
	// fail stands for, because some of those were not kept: a number from 1 to
	// MaxWeight; empty means 1. Failures stand for themselves, whatever it says: what is
	// no such number is an error in them, too.
	Weight string

	// Slow, instead of Failed, asks about rows that took long: "COLUMN", for one
	// that says how long, or "COLUMN>LIMIT". Durations are numbers, in any unit, or
	// name their units, as in "120ms" or "1m30s". A row that took longer than LIMIT
	// counts as failed, or than the share Quantile of the rows of its Entry did: of
	// those before Since, if it is given, else of all. An entry with fewer than 100
	// of them is held to the quantile of all entries.
	Slow string
	// Quantile is above 0 and below 1; 0 means 0.95.
	Quantile float64
	// Entry is a column that says where a row came in, such as an endpoint. Rows
	// are compared within it, and it is no condition. Empty means that there is none.
	Entry string
	// Since is from when failures are to be explained, as interaction.Options has
	// it. The zero time means that nothing is known to have changed.
	Since time.Time

	// Time is a column of timestamps: ISO 8601 text (UTC if it names no zone),
	// or seconds, milliseconds, microseconds or nanoseconds since 1970, told
	// apart by size. Empty means that time is not known.
	Time string
	// Bucket is how long a stratum of time is; rows of one bucket that are alike
	// become one. 0 means about a sixtieth of the time that the table covers.
	Bucket time.Duration

	// Only, if not empty, are the columns offered as conditions; Ignore are
	// columns that are not.
	Only, Ignore []string

	// Memory is how much DuckDB may use, as in "2GB"; empty means "1GB". What
	// does not fit is written to a temporary directory, which is removed.
	Memory string
	// MaxRows is how many rows are mined whole; default 200,000. Of a larger
	// table a sample of half as many is: the rows with failures, up to half of
	// it, and others, which then carry a weight.
	MaxRows int
	// Seed decides which rows are in the sample.
	Seed uint64
	// Progress, if not nil, is called with what is being done, when it begins, as
	// in "counting the values of 18 columns".
	Progress func(doing string)
}

// A TableReading is what ReadTable made of a table.
type TableReading struct {
	Table interaction.Table
	// Rows is the number of observations in the files, Failed how many of them
	// failed. They are exact also where Table is a sample.
	Rows, Failed int
	// Sampled says that Table is a sample, of Searched of the observations.
	Sampled  bool
	Searched int
	// Bucket is the length of the strata of time; 0 if time is not known.
	Bucket time.Duration
	// Columns says what became of each column, in the order of the file.
	Columns []TableColumn
	// Weight is what the rows stand for, if TableSource.Weight was given.
	Weight *TableWeight
	// Slow is from when a row counted as failed, if TableSource.Slow was given.
	Slow *TableSlow
	// Notes say, in sentences, what was left out and why, and what looks wrong.
	Notes []string
}

// ReadTable reads the files of src through DuckDB. Values become conditions
// exactly as they stand in the file: "01" and "1" are two values, and so are
// "TRUE" and "true". An empty cell, a null and an absent key are one state of
// their own, with the value Empty.
//
// Columns of numbers with more than MaxNumbers different ones become ranges,
// cut at quantiles of the column, never by looking at the failures. Columns
// that tell nearly each row from each other, and those with more than MaxValues
// values, are left out; TableReading.Notes says so.
//
// Rows that are alike are added up in SQL. The rows returned are sorted. The
// same files and seed give the same table, whatever the number of threads; the
// order of the rows in the files matters only for which are in a sample. An
// error names the file, and the line or the column.
func ReadTable(ctx context.Context, src TableSource) (TableReading, error) {
	var reading TableReading
	err := withTable(ctx, src, mostHeld, func(r *tableReader) error {
		var err error
		reading, err = r.read(ctx)
		return err
	})
	return reading, err
}

// withTable calls f with a reader of its own, and removes what it leaves behind.
func withTable(ctx context.Context, src TableSource, mostHeld int, f func(*tableReader) error) error {
	if err := src.validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "eddy-table-")
	if err != nil {
		return fmt.Errorf("directory for temporary files: %w", err)
	}
	defer os.RemoveAll(dir)

	db, err := openTable(ctx, dir, src.Memory)
	if err != nil {
		return err
	}
	defer db.Close()
	return f(&tableReader{db: db, src: src, dir: dir, mostHeld: mostHeld})
}

// mostMined is how many rows are mined if the caller does not say: they take a
// fraction of a second, and a larger sample finds nothing more in a table whose
// failures are all in it.
const mostMined = 200_000

// validate reports what of src cannot be meant.
func (src *TableSource) validate() error {
	switch {
	case len(src.Files) == 0:
		return errors.New("table: no file given")
	case src.Slow != "" && (src.Failed != "" || src.Count != "" || src.Failures != ""):
		return errors.New("slow: --slow asks about rows that were slow, --failed, --count and --failures about failures; give one of the two")
	case src.Slow == "" && src.Quantile != 0:
		return errors.New("quantile: it says from when a row is slow; give --slow COLUMN as well")
	case src.Quantile < 0 || src.Quantile >= 1 || src.Quantile != src.Quantile:
		return fmt.Errorf("quantile %v: want above 0 and below 1", src.Quantile)
	case src.Slow == "" && src.Failed == "" && src.Count == "" && src.Failures == "":
		return errors.New("failures: say which rows failed, with --failed COLUMN, --failed COLUMN=VALUE or --count COLUMN --failures COLUMN, or which were slow, with --slow COLUMN")
	case src.Failed != "" && (src.Count != "" || src.Failures != ""):
		return errors.New("failures: --failed says it row by row, --count and --failures say it in numbers; give one of the two")
	case (src.Count == "") != (src.Failures == ""):
		return errors.New("failures: --count and --failures go together: of how many observations a row stands for, and how many of them failed")
	case src.Bucket < 0:
		return fmt.Errorf("bucket %v: want a positive duration", src.Bucket)
	}
	switch src.Format {
	case "", formatCSV, formatTSV, formatJSON, formatParquet:
	default:
		return fmt.Errorf("format %q: want csv, tsv, jsonl or parquet", src.Format)
	}
	if src.MaxRows <= 0 {
		src.MaxRows = mostMined
	}
	if src.Memory == "" {
		src.Memory = "1GB"
	}
	return nil
}

// openTable opens a DuckDB of its own, in memory, that keeps within the bound,
// spills to dir, and fetches nothing from elsewhere.
func openTable(ctx context.Context, dir, memory string) (*sql.DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("open DuckDB in memory: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1) // temporary tables and types belong to a connection
	for _, s := range tableSettings(dir, memory) {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("open DuckDB in memory: %s: %w", s, tableError(err)), db.Close())
		}
	}
	return db, nil
}

// tableSettings are the statements that set up such a DuckDB.
func tableSettings(dir, memory string) []string {
	return []string{
		"SET memory_limit=" + quoteText(memory),
		"SET temp_directory=" + quoteText(dir),
		fmt.Sprintf("SET threads=%d", runtime.GOMAXPROCS(0)),
		"SET parquet_metadata_cache=true",
		"SET autoinstall_known_extensions=false",
		"SET autoload_known_extensions=false",
		"SET TimeZone='UTC'",
	}
}

// quoteText returns s as an SQL string.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteName returns s as an SQL identifier.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// A tableReader reads one table. Its fields are filled in the order of read.
type tableReader struct {
	db       *sql.DB
	src      TableSource
	dir      string
	mostHeld int // bytes that lines may be held in

	files   []tableFile
	outcome tableOutcome
	columns []candidate
	// entryColumn is the index of the column of entries, if there is one.
	entryColumn int
	slow        *TableSlow // nil unless slow rows are what failed
	limited     bool       // slow has its limits
	limitsEmpty bool       // the first of its entries are the empty cells
	copied      bool       // the lines are in a file of ours
	held        *heldLines // the lines, if they are in memory
	total       tableTotal
	// complete says that all rows count, so that it need not be asked of each.
	complete bool
	notes    []string
	strata   []stratum // ascending
	packed   packedRows
	drawn    bool      // the sample is in the table drawn
	meanings []meaning // of the table's conditions
}

// read learns what values each column has, decides what becomes of them, and
// reads the rows that are mined.
func (r *tableReader) read(ctx context.Context) (TableReading, error) {
	steps := []func(context.Context) error{
		r.openFiles,  // which files, formats, columns
		r.findRoles,  // which columns tell failures and time, and which are offered
		r.view,       // what their rows are
		r.takeSample, // which columns are numbers, which number the rows
		r.load,       // where their rows can be asked for again and again
		r.findLimits, // from when a row is slow, if that is asked
		r.measure,    // how many rows there are, and how many failed
		r.draw,       // the sample, of a table too large to look at each cell
		r.profile,    // how often each value of each column occurs
		r.choose,     // what becomes of each column
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return TableReading{}, err
		}
	}
	r.say("reading the rows to search")
	reading := TableReading{
		Rows: int(r.total.rows), Failed: int(r.total.failed), Bucket: r.bucket(),
		Sampled: r.sampled(), Notes: r.notes, Slow: r.slow, Weight: r.weight(),
	}
	counted := 1.0
	if r.drawn {
		counted = 0.98
	}
	for i := range r.columns {
		reading.Columns = append(reading.Columns, r.columns[i].report())
		if note := r.columns[i].note(r.total, counted, r.words()); note != "" {
			reading.Notes = append(reading.Notes, note)
		}
	}
	if note := r.untimedNote(); note != "" {
		reading.Notes = append(reading.Notes, note)
	}
	if reading.Sampled {
		reading.Notes = append(reading.Notes, r.sampleNote())
	}
	if err := r.encode(ctx, reading.Bucket); err != nil {
		return TableReading{}, err
	}
	reading.Table = r.unpacked(reading.Bucket)
	for i := range reading.Table.Rows {
		reading.Searched += reading.Table.Rows[i].Total
	}
	return reading, nil
}

// say tells who asked for it what is being done.
func (r *tableReader) say(doing string) {
	if r.src.Progress != nil {
		r.src.Progress(doing)
	}
}
