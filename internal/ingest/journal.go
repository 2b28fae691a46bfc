package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What Append refuses. Both are retryable: nothing was kept.
var (
	// ErrJournalFull says that the journal has reached its bound in bytes.
	ErrJournalFull = errors.New("journal full")
	// ErrJournalClosed says that the journal was closed.
	ErrJournalClosed = errors.New("journal closed")
)

// A journal keeps what was received until it is stored elsewhere: append-only
// segment files in one directory, named after the position of their first
// record. When Append returns, the record has been written to the operating
// system, so a killed process loses nothing; fsync follows within syncEvery,
// so a crashed machine loses at most that much.
//
// Appends that arrive while a write is under way share the next write. All
// methods are safe for concurrent use.
type journal struct {
	dir          string
	segmentBytes int64
	maxBytes     int64
	log          *slog.Logger
	m            *metrics
	recovered    []segment // those that were there when it was opened

	// writing is held while a group is written. It is taken before mu.
	writing sync.Mutex
	active  *os.File // guarded by writing

	mu      sync.Mutex
	next    uint64    // the position of the next record
	group   *group    // collects records for the next write
	held    []segment // oldest first; the last one is being written
	bytes   int64     // of held, and of records that wait to be written
	closed  bool
	retired []*os.File // full segments that wait for their last fsync
	dirty   bool       // the active segment has writes that were not fsynced
	spare   []byte     // the last group's buffer, for the next one

	stop   context.CancelFunc
	syncer sync.WaitGroup
}

// A segment is one file of the journal.
type segment struct {
	path  string
	first uint64 // the position that names it
	last  uint64 // of its last record; first-1 if it has none
	bytes int64
}

// A group is a set of records that are written together.
type group struct {
	buf   []byte
	last  uint64
	wrote []func(position uint64) // called in order once the write is done
	first uint64
	done  chan struct{}
	err   error
}

// syncEvery is how often fsync runs while there is something to sync. It is
// half of what is promised, so that a slow fsync still keeps the promise.
const syncEvery = 500 * time.Millisecond

// openJournal opens the journal in dir, which is made if it is missing. It
// checks all records: a record that was cut short at the end, by a kill in the
// middle of a write, is removed; damage elsewhere is logged, counted and
// skipped. Positions continue after the last one found, and after stored.
func openJournal(cfg JournalConfig, stored uint64, log *slog.Logger, m *metrics) (*journal, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal directory: %w", err)
	}
	j := &journal{
		dir: cfg.Dir, segmentBytes: cfg.SegmentBytes, maxBytes: cfg.MaxBytes,
		log: log, m: m, next: stored + 1, group: newGroup(),
	}
	if err := j.recover(); err != nil {
		return nil, err
	}
	j.recovered = slices.Clone(j.held)
	if err := j.startSegment(j.next); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	j.stop = cancel
	j.syncer.Go(func() { j.syncLoop(ctx) })
	return j, nil
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// recover finds the segments, checks them and sets next.
func (j *journal) recover() error {
	entries, err := os.ReadDir(j.dir)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			j.log.Warn("journal file skipped: its name is no position", "file", e.Name())
			continue
		}
		j.held = append(j.held, segment{path: filepath.Join(j.dir, e.Name()), first: first})
	}
	slices.SortFunc(j.held, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	for i := range j.held {
		if err := j.check(&j.held[i], i == len(j.held)-1); err != nil {
			return err
		}
		j.bytes += j.held[i].bytes
		j.next = max(j.next, j.held[i].last+1)
	}
	// Empty segments say nothing but their name, which next has taken over.
	j.held = slices.DeleteFunc(j.held, func(s segment) bool {
		return s.bytes == 0 && os.Remove(s.path) == nil
	})
	return nil
}

const segmentSuffix = ".journal"

// check reads a segment, cuts a torn tail off and reports damage.
func (j *journal) check(s *segment, newest bool) error {
	data, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("read journal segment: %w", err)
	}
	s.last = s.first - 1
	found := scanRecords(data, func(r record) bool {
		s.last = max(s.last, r.position)
		return true
	})
	s.bytes = int64(len(data))
	j.m.journalDamaged.Add(float64(found.damaged))
	if found.damaged > 0 {
		j.log.Error("journal segment damaged: what stood there is lost, the rest is read",
			"file", s.path, "places", found.damaged, "bytes", found.lost)
	}
	tail := len(data) - found.sound
	if tail == 0 {
		return nil
	}
	if !newest {
		// Only the newest segment can be cut short by a kill. Here a failed
		// write, which was refused to its sender, or damage left it.
		j.log.Warn("journal segment ends in bytes that are no record", "file", s.path, "bytes", tail)
		j.m.journalDamaged.Inc()
		return nil
	}
	j.log.Info("journal tail removed: a write was cut short before it was acknowledged", "file", s.path, "bytes", tail)
	j.m.journalTorn.Inc()
	s.bytes = int64(found.sound)
	if err := os.Truncate(s.path, s.bytes); err != nil {
		return fmt.Errorf("cut journal tail: %w", err)
	}
	return nil
}

// Append writes a record and returns its position. wrote, if not nil, is called
// with the position once the record is written, before Append returns; these
// calls come one at a time, in the order of positions. An error means that the
// record was not kept and wrote not called; it wraps ErrJournalFull,
// ErrJournalClosed or what the file system said.
func (j *journal) Append(kind recordKind, at time.Time, payload []byte, wrote func(position uint64)) (uint64, error) {
	size := int64(recordHeader + len(payload))
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return 0, ErrJournalClosed
	}
	if j.bytes+size > j.maxBytes {
		j.mu.Unlock()
		return 0, fmt.Errorf("%w: %d of %d bytes are not stored yet", ErrJournalFull, j.bytes, j.maxBytes)
	}
	j.bytes += size
	g := j.group
	leader := len(g.buf) == 0
	position := j.next
	j.next++
	if leader {
		g.first = position
	}
	g.last = position
	g.buf = appendRecord(g.buf, record{kind: kind, position: position, at: at, payload: payload})
	g.wrote = append(g.wrote, wrote)
	j.mu.Unlock()

	if leader {
		j.writeGroup(g)
	}
	<-g.done
	return position, g.err
}

// writeGroup writes the group that is being collected. The records that arrive
// while it waits for an earlier write join it.
func (j *journal) writeGroup(g *group) {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	j.group = newGroup()
	j.group.buf, j.spare = j.spare, nil
	j.mu.Unlock()

	g.err = j.write(g)
	if g.err != nil {
		j.m.journalErrors.Inc()
		j.mu.Lock()
		j.bytes -= int64(len(g.buf))
		j.mu.Unlock()
		j.log.Error("journal write failed: what was received is refused", "error", g.err)
	} else {
		for i, wrote := range g.wrote {
			if wrote != nil {
				wrote(g.first + uint64(i))
			}
		}
	}
	if cap(g.buf) <= maxSpare {
		j.mu.Lock()
		j.spare = g.buf[:0]
		j.mu.Unlock()
	}
	close(g.done)
}

// maxSpare bounds the buffer that is kept between writes.
const maxSpare = 4 << 20

// write puts g at the end of the active segment, or of a new one. A write that
// fails half way is taken back.
func (j *journal) write(g *group) error {
	j.mu.Lock()
	size := j.held[len(j.held)-1].bytes
	j.mu.Unlock()
	if j.active == nil || size > 0 && size+int64(len(g.buf)) > j.segmentBytes {
		if err := j.roll(g.first); err != nil {
			return err
		}
		size = 0
	}
	if _, err := j.active.Write(g.buf); err != nil {
		if cut := j.active.Truncate(size); cut != nil {
			// The next write starts a new segment; readers skip the rest here.
			j.retire()
		}
		return fmt.Errorf("write journal: %w", err)
	}
	j.mu.Lock()
	s := &j.held[len(j.held)-1]
	s.bytes += int64(len(g.buf))
	s.last = g.last
	j.dirty = true
	j.m.journalBytes.Set(float64(j.bytes))
	j.mu.Unlock()
	return nil
}

// roll retires the active segment and starts one at position first.
func (j *journal) roll(first uint64) error {
	j.retire()
	return j.startSegment(first)
}

// retire leaves the active segment to the syncer.
func (j *journal) retire() {
	if j.active == nil {
		return
	}
	j.mu.Lock()
	j.retired = append(j.retired, j.active)
	j.mu.Unlock()
	j.active = nil
}

func (j *journal) startSegment(first uint64) error {
	path := filepath.Join(j.dir, fmt.Sprintf("%020d%s", first, segmentSuffix))
	// O_APPEND keeps writes at the end after a failed one was cut off.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start journal segment: %w", err)
	}
	if err := syncDir(j.dir); err != nil {
		return errors.Join(err, f.Close())
	}
	j.active = f
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held = append(j.held, segment{path: path, first: first, last: first - 1})
	j.m.journalSegments.Set(float64(len(j.held)))
	return nil
}

// syncDir makes the creation of a file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync journal directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *journal) syncLoop(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := j.sync(); err != nil {
				j.m.journalErrors.Inc()
				j.log.ErrorContext(ctx, "journal fsync failed: what was acknowledged may not survive a crash of the machine", "error", err)
			}
		}
	}
}

// sync makes durable what was written. After an error the active segment is
// left for a new one, because what the old one holds can no longer be known.
func (j *journal) sync() error {
	j.writing.Lock()
	j.mu.Lock()
	retired, active, dirty := j.retired, j.active, j.dirty
	j.retired, j.dirty = nil, false
	j.mu.Unlock()
	j.writing.Unlock()

	start := time.Now()
	var errs []error
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	if dirty && active != nil {
		// The file stays open while this runs: only sync and Close close it, and
		// Close waits for the loop that calls sync.
		if err := active.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
			j.writing.Lock()
			if j.active == active {
				j.retire()
			}
			j.writing.Unlock()
		}
	}
	if dirty || len(retired) > 0 {
		j.m.fsyncSeconds.Observe(time.Since(start).Seconds())
	}
	return errors.Join(errs...)
}

// Replay calls fn with the records that were there when the journal was opened
// and whose position is greater than after, in order, until fn returns an
// error. It reads one segment at a time into memory.
func (j *journal) Replay(after uint64, fn func(record) error) error {
	for _, s := range j.recovered {
		if s.last <= after {
			continue
		}
		data, err := os.ReadFile(s.path)
		if errors.Is(err, os.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return fmt.Errorf("read journal segment: %w", err)
		}
		var stop error
		scanRecords(data, func(r record) bool {
			if r.position > after {
				stop = fn(r)
			}
			return stop == nil
		})
		if stop != nil {
			return stop
		}
	}
	return nil
}

// Release says that all records up to position are stored elsewhere. Segments
// that hold no others are deleted.
func (j *journal) Release(position uint64) error {
	j.mu.Lock()
	keep := 0
	for keep < len(j.held)-1 && j.held[keep].last <= position {
		j.bytes -= j.held[keep].bytes
		keep++
	}
	gone := slices.Clone(j.held[:keep])
	j.held = slices.Delete(j.held, 0, keep)
	j.m.journalBytes.Set(float64(j.bytes))
	j.m.journalSegments.Set(float64(len(j.held)))
	j.mu.Unlock()
	var errs []error
	for _, s := range gone {
		errs = append(errs, os.Remove(s.path))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete journal segment: %w", err)
	}
	return nil
}

// Bytes is how much the journal holds.
func (j *journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Close lets appends under way end, refuses later ones, and syncs.
func (j *journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	j.mu.Unlock()
	j.stop()
	j.syncer.Wait()
	for {
		// Appends that passed the check above may still be collecting.
		j.writing.Lock()
		j.mu.Lock()
		idle := len(j.group.buf) == 0
		j.mu.Unlock()
		j.writing.Unlock()
		if idle {
			break
		}
		<-j.waiting()
	}
	err := j.sync()
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.active != nil {
		err = errors.Join(err, j.active.Close())
		j.active = nil
	}
	return err
}

// waiting is closed when the group that is being collected has been written.
func (j *journal) waiting() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.group.buf) == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	return j.group.done
}
