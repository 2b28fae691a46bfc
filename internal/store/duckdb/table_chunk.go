package duckdb

import (
	"cmp"
	"context"
	"strings"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
	duckdb "github.com/duckdb/duckdb-go/v2"
)

// chunks runs a query on a DuckDB of its own, with these settings, and calls f
// with the rows in their order, some two thousand at a time, while DuckDB reads on.
// They are DuckDB's memory and end with the call. database/sql makes a value of
// each cell, which takes longer than it takes DuckDB to find them all.
func chunks(ctx context.Context, settings []string, query string, f func(chunk) error) error {
	var db bindings.Database
	var message string
	if bindings.OpenExt("", &db, bindings.Config{}, &message) == bindings.StateError {
		return chunkError(message)
	}
	defer bindings.Close(&db)
	var conn bindings.Connection
	if bindings.Connect(db, &conn) == bindings.StateError {
		return chunkError("no connection to DuckDB")
	}
	defer bindings.Disconnect(&conn)
	defer whenDone(ctx, func() { bindings.Interrupt(conn) })()

	var err error
	for _, s := range settings {
		if err = eachChunk(ctx, conn, s, func(chunk) error { return nil }); err != nil {
			break
		}
	}
	if err == nil {
		err = eachChunk(ctx, conn, query, f)
	}
	return cmp.Or(ctx.Err(), err)
}

// eachChunk runs a query and calls f with its rows.
func eachChunk(ctx context.Context, conn bindings.Connection, query string, f func(chunk) error) error {
	var statement bindings.PreparedStatement
	defer bindings.DestroyPrepare(&statement)
	if bindings.Prepare(conn, query, &statement) == bindings.StateError {
		return chunkError(bindings.PrepareError(statement))
	}
	var result bindings.Result
	defer bindings.DestroyResult(&result)
	// DuckDB calls this deprecated, and has no other way to rows that it does not
	// store all of first.
	if bindings.ExecutePreparedStreaming(statement, &result) == bindings.StateError {
		return chunkError(bindings.ResultError(&result))
	}
	for ctx.Err() == nil { // an interrupt from before the query would be lost
		data := bindings.FetchChunk(result)
		if data.Ptr == nil {
			break
		}
		c := chunk{data: data, rows: int(bindings.DataChunkGetSize(data))}
		err := f(c)
		bindings.DestroyDataChunk(&data)
		if err != nil {
			return err
		}
	}
	if message := bindings.ResultError(&result); message != "" {
		return chunkError(message)
	}
	return nil
}

// whenDone calls f if ctx is done before the function that it returns is called,
// which waits for f.
func whenDone(ctx context.Context, f func()) (end func()) {
	called := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(called)
		f()
	})
	return func() {
		if !stop() {
			<-called
		}
	}
}

// chunkError is the error that the driver would have made of DuckDB's message.
func chunkError(message string) error {
	kind := duckdb.ErrorTypeInvalid
	if strings.HasPrefix(message, "Out of Memory Error: ") {
		kind = duckdb.ErrorTypeOutOfMemory
	}
	return &duckdb.Error{Type: kind, Msg: message}
}

// A chunk is rows of a result, by column.
type chunk struct {
	data bindings.DataChunk
	rows int
}

// cells returns a column of a chunk, as what DuckDB has it as: int64 for BIGINT,
// cell for VARCHAR. What is not known to be there may be anything.
func cells[T int64 | float64 | bool | cell](c chunk, column int) ([]T, known) {
	vector := bindings.DataChunkGetVector(c.data, bindings.IdxT(column))
	values := unsafe.Slice((*T)(bindings.VectorGetData(vector)), c.rows)
	var mask known
	if p := bindings.VectorGetValidity(vector); p != nil {
		mask = unsafe.Slice((*uint64)(p), (c.rows+63)/64)
	}
	return values, mask
}

// known has a bit for each row that is not NULL; nil if none is.
type known []uint64

func (k known) at(row int) bool { return k == nil || k[row/64]>>(row%64)&1 == 1 }

// A cell is text as DuckDB has it: the length in the lowest half of the head and,
// behind it, up to shortCell bytes with zeros to the end, so that two are the same
// if their numbers are; or else the first four bytes, and where the text is.
type cell struct{ head, tail uint64 }

const shortCell = 12

func (c *cell) len() int { return int(uint32(c.head)) }

// text is what the cell says, in DuckDB's memory.
func (c *cell) text() string {
	if c.len() <= shortCell {
		return unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(c), 4)), c.len())
	}
	return unsafe.String(*(**byte)(unsafe.Pointer(&c.tail)), c.len())
}
