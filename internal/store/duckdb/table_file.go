package duckdb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// The formats of a table.
const (
	formatCSV     = "csv"
	formatTSV     = "tsv"
	formatJSON    = "jsonl"
	formatParquet = "parquet"
)

// headLimit is how much of a file is read to find its header; a header that is
// longer is refused.
const headLimit = 1 << 20

// A tableFile is one file of a table and how DuckDB has to read it.
type tableFile struct {
	name        string // as it was given, for errors
	path        string // where its content is
	size        int64  // in bytes, as it lies there
	lines       int64  // about how many it has, if it is text
	format      string
	compression string // "uncompressed", "gzip" or "zstd"; text formats only
	delimiter   byte   // CSV and TSV only
	columns     []string
	types       map[string]columnType // of the columns; text formats have none
}

// openFiles finds out how each file is to be read, and that all have the same
// columns. An absent key is no difference between files of JSON lines.
func (r *tableReader) openFiles(ctx context.Context) error {
	for i, name := range r.src.Files {
		if name == "-" && slices.Contains(r.src.Files[:i], "-") {
			return errors.New("standard input: given twice")
		}
		f, err := r.openFile(ctx, name)
		if err != nil {
			return err
		}
		r.files = append(r.files, f)
	}
	first := &r.files[0]
	for i := range r.files[1:] {
		f := &r.files[i+1]
		for _, c := range first.columns {
			if f.format != formatJSON && !slices.Contains(f.columns, c) {
				return fmt.Errorf("%s: no column %q, which %s has; files of one table need the same columns", f.name, c, first.name)
			}
		}
		for _, c := range f.columns {
			if slices.Contains(first.columns, c) {
				continue
			}
			if first.format != formatJSON {
				return fmt.Errorf("%s: column %q, which %s lacks; files of one table need the same columns", f.name, c, first.name)
			}
			first.columns = append(first.columns, c)
		}
	}
	return nil
}

func (r *tableReader) openFile(ctx context.Context, name string) (tableFile, error) {
	f := tableFile{name: name, path: name}
	if name == "-" {
		f.name = "standard input"
		path, err := spool(r.src.Stdin, filepath.Join(r.dir, "stdin"))
		if err != nil {
			return f, fmt.Errorf("%s: %w", f.name, err)
		}
		f.path = path
	}
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, fmt.Errorf("%s: no such file", name)
	case err != nil:
		return f, err
	case info.IsDir():
		return f, fmt.Errorf("%s: is a directory; name the files in it", name)
	case info.Size() == 0:
		return f, fmt.Errorf("%s: empty", f.name)
	}
	f.size = info.Size()
	head, err := f.readHead()
	if err != nil {
		return f, fmt.Errorf("%s: %w", f.name, err)
	}
	f.lines = estimateLines(head, f.size, f.compression)
	f.format = r.src.Format
	if f.format == "" {
		f.format = detectFormat(name, head)
	}
	switch f.format {
	case formatCSV, formatTSV:
		f.delimiter = detectDelimiter(f.format, head)
		f.columns, err = parseHeader(head, f.delimiter)
		if err != nil {
			return f, fmt.Errorf("%s: line 1: %w", f.name, err)
		}
		return f, nil
	default:
		err = r.describe(ctx, &f)
		return f, err
	}
}

// spool writes what is read to path.
func spool(from io.Reader, path string) (string, error) {
	if from == nil {
		return "", errors.New("not available")
	}
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(file, from)
	return path, errors.Join(err, file.Close())
}

// readHead returns the beginning of the file, decompressed, and sets the
// compression, which its first bytes tell.
func (f *tableFile) readHead() ([]byte, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buffered := bufio.NewReader(file)
	magic, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var content io.Reader = buffered
	f.compression = "uncompressed"
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		f.compression = "gzip"
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, err
		}
		defer unzipped.Close()
		content = unzipped
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		f.compression = "zstd"
		unzipped, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return nil, err
		}
		defer unzipped.Close()
		content = unzipped
	}
	return io.ReadAll(io.LimitReader(content, headLimit))
}

// estimateLines returns about how many lines a file of text has that begins like
// this. Tables shrink to about a tenth when they are compressed.
func estimateLines(head []byte, size int64, compression string) int64 {
	lines := int64(bytes.Count(head, []byte("\n")) + 1)
	if len(head) < headLimit {
		return lines
	}
	if compression != "uncompressed" {
		size *= 10
	}
	return size / (int64(len(head)) / lines)
}

// detectFormat tells the format by the content where that is certain, else by
// the name, else by the first character.
func detectFormat(name string, head []byte) string {
	if bytes.HasPrefix(head, []byte("PAR1")) {
		return formatParquet
	}
	base := strings.ToLower(name)
	base = strings.TrimSuffix(strings.TrimSuffix(base, ".gz"), ".zst")
	switch filepath.Ext(base) {
	case ".csv":
		return formatCSV
	case ".tsv", ".tab":
		return formatTSV
	case ".json", ".jsonl", ".ndjson":
		return formatJSON
	case ".parquet", ".pq":
		return formatParquet
	}
	if text := bytes.TrimLeft(head, "\ufeff \t\r\n"); len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		return formatJSON
	}
	return formatCSV
}

// detectDelimiter returns the character that parts the header: a tab for TSV,
// else the one of comma, semicolon, tab and bar that it has most of, outside of
// quotes; a comma if it has none.
func detectDelimiter(format string, head []byte) byte {
	if format == formatTSV {
		return '\t'
	}
	var counts [256]int
	quoted := false
	for _, c := range head {
		if c == '"' {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t|") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// parseHeader returns the names of the columns. A name is what stands between
// the delimiters, less the space around it; a column without one, as the index
// that pandas writes, is called by its place, "column1".
func parseHeader(head []byte, delimiter byte) ([]string, error) {
	head = bytes.TrimPrefix(head, []byte("\ufeff"))
	if line, _, ended := bytes.Cut(head, []byte("\n")); ended && len(bytes.TrimSpace(line)) == 0 {
		return nil, errors.New("empty; want the names of the columns")
	}
	in := csv.NewReader(bytes.NewReader(head))
	in.Comma = rune(delimiter)
	in.LazyQuotes = true
	in.FieldsPerRecord = -1
	names, err := in.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("no header; want the names of the columns")
	case err != nil:
		return nil, fmt.Errorf("header: %w", err)
	case len(head) >= headLimit && in.InputOffset() >= int64(len(head)):
		return nil, fmt.Errorf("header longer than %d bytes", headLimit)
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			name = fmt.Sprintf("column%d", i+1)
		}
		// DuckDB tells names apart without looking at the case.
		folded := strings.ToLower(name)
		switch {
		case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
			return nil, fmt.Errorf("column %d: name %q is not UTF-8 text; convert the file, as with iconv -t UTF-8", i+1, name)
		case seen[folded]:
			return nil, fmt.Errorf("column %q: the name is there twice (upper and lower case are not told apart); rename one", name)
		}
		seen[folded] = true
		names[i] = name
	}
	return names, nil
}

// describe asks DuckDB for the columns of a file that says them itself. For
// JSON it looks at all lines, so that a key that comes late is not missed.
func (r *tableReader) describe(ctx context.Context, f *tableFile) error {
	from := "read_parquet(" + quoteText(globless(f.path)) + ")"
	if f.format == formatJSON {
		from = fmt.Sprintf("read_json(%s, format='auto', records=true, compression='%s', maximum_depth=1, sample_size=-1)",
			quoteText(globless(f.path)), f.compression)
	}
	rows, err := r.db.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, r.inFile(err))
	}
	defer rows.Close()
	f.types = make(map[string]columnType)
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return err
		}
		f.columns = append(f.columns, name)
		if f.format == formatParquet {
			f.types[name] = columnTypeOf(kind)
		}
	}
	return rows.Err()
}

// globless returns the path as a pattern that only it matches, for DuckDB takes
// file names as patterns.
func globless(path string) string {
	var b strings.Builder
	for _, c := range path {
		if strings.ContainsRune("*?[", c) {
			b.WriteString("[" + string(c) + "]")
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// typeOf is the type that a column has in all files; text if they differ.
func (r *tableReader) typeOf(column string) columnType {
	t := r.files[0].types[column]
	for i := range r.files {
		if r.files[i].types[column] != t {
			return typeText
		}
	}
	return t
}

// numberedRow is the name that DuckDB gives to the number of a row in a Parquet
// file. A file that has a column of this name is copied.
const numberedRow = "file_row_number"

// relation returns the SQL that reads the columns of all files, each as the
// text that it is or stands for, or, if the rows stay where they are, in its own
// type and with the number of the row, across files. All dialect options are
// given: DuckDB's guesses depend on the first lines of a file, and a table must
// not read differently when a line is added.
func (r *tableReader) relation(columns []string, inPlace bool) string {
	parts := make([]string, len(r.files))
	for i := range r.files {
		f := &r.files[i]
		list := make([]string, len(columns), len(columns)+1)
		for j, c := range columns {
			switch {
			case !slices.Contains(f.columns, c):
				list[j] = "NULL AS " + quoteName(c)
			case f.format == formatParquet && (!inPlace || r.typeOf(c) == typeText):
				list[j] = fmt.Sprintf("CAST(%s AS VARCHAR) AS %[1]s", quoteName(c))
			default:
				list[j] = quoteName(c)
			}
		}
		if inPlace {
			number := numberedRow
			if i > 0 {
				number = fmt.Sprintf("%s + %d AS %[1]s", numberedRow, i<<40)
			}
			list = append(list, number)
		}
		parts[i] = "SELECT " + strings.Join(list, ", ") + " FROM " + f.reader(columns)
	}
	return strings.Join(parts, " UNION ALL ")
}

// textBuffer is how much of a file a thread of DuckDB reads and parses at a time. It is
// above what a line may take, 2 MB; with 32 MB, which DuckDB would take, two threads
// have too few parts of a file of 100 MB to end at the same time, and what is asked of
// the first lines waits for many more.
const textBuffer = 4 << 20

// reader returns the table function that reads the file.
func (f *tableFile) reader(columns []string) string {
	path := quoteText(globless(f.path))
	switch f.format {
	case formatParquet:
		numbered := !slices.Contains(f.columns, numberedRow)
		return fmt.Sprintf("read_parquet(%s, %s=%t)", path, numberedRow, numbered)
	case formatJSON:
		have := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return !slices.Contains(f.columns, c) })
		if len(have) == 0 { // a file without any of them still has its rows
			have = f.columns[:1]
		}
		return fmt.Sprintf("read_json(%s, format='auto', records=true, compression='%s', columns=%s)", path, f.compression, textColumns(have))
	default:
		return fmt.Sprintf(`read_csv(%s, auto_detect=false, header=true, skip=0, delim=%s, quote='"', escape='"', nullstr='', strict_mode=true, buffer_size=%d, compression='%s', columns=%s)`,
			path, quoteText(string(f.delimiter)), textBuffer, f.compression, textColumns(f.columns))
	}
}

// textColumns returns a DuckDB struct that types each column as text.
func textColumns(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = quoteText(n) + ": 'VARCHAR'"
	}
	return "{" + strings.Join(list, ", ") + "}"
}
