// These tests are inside the package: what the journal promises is about the
// bytes of its files, and a Server shows only what comes of it.
package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// T is what *testing.T and *rapid.T share.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func openTestJournal(t T, cfg JournalConfig, stored uint64) (*journal, *metrics) {
	t.Helper()
	set(&cfg.SegmentBytes, 1<<20)
	set(&cfg.MaxBytes, 1<<30)
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatalf("newMetrics: %v", err)
	}
	j, err := openJournal(cfg, stored, slog.New(slog.DiscardHandler), m)
	if err != nil {
		t.Fatalf("openJournal: %v", err)
	}
	return j, m
}

// payloads returns what a journal replays after a position, as "position:payload".
func payloads(t T, j *journal, after uint64) []string {
	t.Helper()
	var got []string
	err := j.Replay(after, func(r record) error {
		got = append(got, fmt.Sprintf("%d:%s", r.position, r.payload))
		return nil
	})
	if err != nil {
		t.Fatalf("Replay: %v", err)
	}
	return got
}

func appendAll(t T, j *journal, payloads ...string) {
	t.Helper()
	for _, p := range payloads {
		if _, err := j.Append(recordTraces, time.Unix(1_700_000_000, 5).UTC(), []byte(p), nil); err != nil {
			t.Fatalf("Append: %v", err)
		}
	}
}

func closeJournal(t T, j *journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func newestSegment(t T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segment in %s: %v", dir, err)
	}
	return files[len(files)-1]
}

func TestAJournalReplaysWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	appendAll(t, j, "a", "bb", "")
	closeJournal(t, j)
	j, _ = openTestJournal(t, JournalConfig{Dir: dir}, 0)
	defer closeJournal(t, j)
	if got, want := payloads(t, j, 0), []string{"1:a", "2:bb", "3:"}; !slices.Equal(got, want) {
		t.Errorf("replay = %q, want %q", got, want)
	}
	if got, want := payloads(t, j, 2), []string{"3:"}; !slices.Equal(got, want) {
		t.Errorf("replay after 2 = %q, want %q", got, want)
	}
	appendAll(t, j, "next")
	if got, want := payloads(t, j, 2), []string{"3:"}; !slices.Equal(got, want) {
		t.Errorf("replay after an append = %q, want what was there at the start, %q", got, want)
	}
}

func TestPositionsContinueAfterWhatIsStored(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir}, 41)
	position, err := j.Append(recordLogs, time.Now(), nil, nil)
	if err != nil || position != 42 {
		t.Errorf("Append = %d, %v, want 42", position, err)
	}
	closeJournal(t, j)
	j, _ = openTestJournal(t, JournalConfig{Dir: dir}, 7)
	defer closeJournal(t, j)
	if position, err = j.Append(recordLogs, time.Now(), nil, nil); err != nil || position != 43 {
		t.Errorf("Append = %d, %v, want 43", position, err)
	}
}

func TestAJournalSurvivesACutAtAnyByteOfItsLastRecord(t *testing.T) {
	texts := []string{"first", "", "the last one"}
	for cut := range recordHeader + len(texts[2]) {
		checkCut(t, t.TempDir(), texts, cut)
	}
}

func TestAnyJournalSurvivesACut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal") //nolint:usetesting // rapid.T has no TempDir
		if err != nil {
			t.Fatalf("MkdirTemp: %v", err)
		}
		defer os.RemoveAll(dir)
		// Payloads that look like the start of a record must not confuse it.
		text := rapid.OneOf(rapid.StringN(0, 20, 60), rapid.Just(recordMagic), rapid.Just("EDJ1\x02\x00\x00\x00"))
		texts := rapid.SliceOfN(text, 1, 6).Draw(t, "payloads")
		checkCut(t, dir, texts, rapid.IntRange(0, recordHeader+len(texts[len(texts)-1])-1).Draw(t, "cut"))
	})
}

// checkCut writes a journal, keeps only the first cut bytes of its last record,
// as a kill in the middle of a write would, and checks that the others are
// there and that it goes on.
func checkCut(t T, dir string, texts []string, cut int) {
	t.Helper()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	appendAll(t, j, texts...)
	closeJournal(t, j)
	path := newestSegment(t, dir)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("Stat: %v", err)
	}
	if err := os.Truncate(path, info.Size()-int64(recordHeader+len(texts[len(texts)-1])-cut)); err != nil {
		t.Fatalf("Truncate: %v", err)
	}
	var want []string
	for i, p := range texts[:len(texts)-1] {
		want = append(want, fmt.Sprintf("%d:%s", i+1, p))
	}
	j, m := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	if got := payloads(t, j, 0); !slices.Equal(got, want) {
		t.Errorf("cut after %d bytes: replay = %q, want %q", cut, got, want)
	}
	if torn, damaged := testCounter(m.journalTorn), testCounter(m.journalDamaged); damaged != 0 || torn != float64(min(cut, 1)) {
		t.Errorf("cut after %d bytes: %v ends torn and %v places damaged, want %d and none", cut, torn, damaged, min(cut, 1))
	}
	appendAll(t, j, "after")
	closeJournal(t, j)
	j, _ = openTestJournal(t, JournalConfig{Dir: dir}, 0)
	defer closeJournal(t, j)
	want = append(want, fmt.Sprintf("%d:after", len(texts)))
	if got := payloads(t, j, 0); !slices.Equal(got, want) {
		t.Errorf("cut after %d bytes, and an append: replay = %q, want %q", cut, got, want)
	}
}

func TestDamageCostsOnlyTheRecordsThatItHit(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	appendAll(t, j, "first", "second", "third", "fourth")
	closeJournal(t, j)
	path := newestSegment(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[bytes.Index(data, []byte("second"))] ^= 1
	// A length that points far beyond the end is damage too.
	data[bytes.Index(data, []byte("third"))-recordHeader+5] = 0xff
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, m := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	defer closeJournal(t, j)
	if got, want := payloads(t, j, 0), []string{"1:first", "4:fourth"}; !slices.Equal(got, want) {
		t.Errorf("replay = %q, want %q", got, want)
	}
	if got := testCounter(m.journalDamaged); got != 1 {
		t.Errorf("%v places damaged, want the one stretch", got)
	}
}

func TestConcurrentAppendsKeepTheOrderOfPositions(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir, SegmentBytes: 4 << 10}, 0)
	const senders, each = 8, 100
	var order []uint64 // wrote is called one at a time, so no lock
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				_, err := j.Append(recordTraces, time.Now(), fmt.Appendf(nil, "%d/%d", s, i), func(p uint64) { order = append(order, p) })
				if err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	closeJournal(t, j)
	if len(order) != senders*each || !slices.IsSorted(order) {
		t.Errorf("%d positions, sorted %v, want %d in order", len(order), slices.IsSorted(order), senders*each)
	}
	j, _ = openTestJournal(t, JournalConfig{Dir: dir, SegmentBytes: 4 << 10}, 0)
	defer closeJournal(t, j)
	if got := payloads(t, j, 0); len(got) != senders*each {
		t.Errorf("replay has %d records, want %d", len(got), senders*each)
	}
}

func TestReleaseDeletesWholeSegmentsAndMakesRoom(t *testing.T) {
	dir := t.TempDir()
	j, _ := openTestJournal(t, JournalConfig{Dir: dir, SegmentBytes: 1 << 10, MaxBytes: 8 << 10}, 0)
	defer closeJournal(t, j)
	payload := make([]byte, 300)
	var last uint64
	for {
		p, err := j.Append(recordTraces, time.Now(), payload, nil)
		if errors.Is(err, ErrJournalFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if last != (8<<10)/(300+recordHeader) {
		t.Errorf("full after %d records, want %d", last, (8<<10)/(300+recordHeader))
	}
	if err := j.Release(last); err != nil {
		t.Fatal(err)
	}
	if j.Bytes() > 1<<10 {
		t.Errorf("%d bytes after Release, want at most a segment", j.Bytes())
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("%d files after Release, want 1", len(files))
	}
	if p, err := j.Append(recordTraces, time.Now(), payload, nil); err != nil || p != last+1 {
		t.Errorf("Append = %d, %v, want %d", p, err, last+1)
	}
}

func TestAFailedWriteIsRefusedAndLeavesTheRestReadable(t *testing.T) {
	dir := t.TempDir()
	j, m := openTestJournal(t, JournalConfig{Dir: dir}, 0)
	appendAll(t, j, "a")
	// As a full disk would, a closed file makes write and truncate fail.
	if err := j.active.Close(); err != nil {
		t.Fatal(err)
	}
	called := false
	if _, err := j.Append(recordTraces, time.Now(), []byte("lost"), func(uint64) { called = true }); err == nil || called {
		t.Errorf("Append = %v, wrote called %v, want an error and no call", err, called)
	}
	appendAll(t, j, "b")
	if err := j.Close(); err == nil {
		t.Error("Close = nil, want the error of the broken file")
	}
	if testCounter(m.journalErrors) == 0 {
		t.Error("the failure was not counted")
	}
	j, _ = openTestJournal(t, JournalConfig{Dir: dir}, 0)
	defer closeJournal(t, j)
	if got, want := payloads(t, j, 0), []string{"1:a", "3:b"}; !slices.Equal(got, want) {
		t.Errorf("replay = %q, want %q", got, want)
	}
}

func TestWhatWasWrittenIsSyncedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		j, _ := openTestJournal(t, JournalConfig{Dir: dir}, 0)
		appendAll(t, j, "a")
		if !isDirty(j) {
			t.Error("not dirty after an append")
		}
		<-time.After(time.Second) // virtual
		synctest.Wait()
		if isDirty(j) {
			t.Error("not synced a second after the append")
		}
		closeJournal(t, j)
	})
}

func isDirty(j *journal) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dirty
}

func TestAClosedJournalRefuses(t *testing.T) {
	j, _ := openTestJournal(t, JournalConfig{Dir: t.TempDir()}, 0)
	closeJournal(t, j)
	if _, err := j.Append(recordTraces, time.Now(), nil, nil); !errors.Is(err, ErrJournalClosed) {
		t.Errorf("Append = %v, want %v", err, ErrJournalClosed)
	}
	closeJournal(t, j)
}

func FuzzRecords(f *testing.F) {
	good := appendRecord(nil, record{kind: recordTraces, position: 1, at: time.Unix(1, 0), payload: []byte("payload")})
	f.Add(good, 3)
	f.Add(append([]byte("EDJ1 noise EDJ1"), good...), 0)
	f.Add(good[:len(good)-1], 40)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		found := scanRecords(data, func(r record) bool {
			again, size, ok := readRecord(appendRecord(nil, r))
			if !ok || size != recordHeader+len(r.payload) || again.position != r.position || !again.at.Equal(r.at) || !bytes.Equal(again.payload, r.payload) {
				t.Errorf("record %d does not survive being written again", r.position)
			}
			return true
		})
		if found.sound < 0 || found.sound > len(data) || found.lost > int64(len(data)) {
			t.Errorf("scan of %d bytes = %+v", len(data), found)
		}
		// A sound record behind anything is found, unless what stands before it
		// happens to be the start of a larger sound one.
		if cut < 0 || cut > len(data) {
			return
		}
		n := 0
		scanRecords(append(slices.Clone(data[:cut]), good...), func(record) bool { n++; return true })
		if n == 0 {
			t.Errorf("a sound record behind %d bytes was not found", cut)
		}
	})
}

func TestTheQueueKeepsOrderAndBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatalf("newMetrics: %v", err)
		}
		q := newQueue(100, m.queueBytes)
		var waiting []Received
		var held int64
		position := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				n := rapid.Int64Range(1, 60).Draw(t, "bytes")
				ok := q.reserve(n)
				if want := held == 0 || held+n <= 100; ok != want {
					t.Errorf("reserve(%d) with %d of 100 held = %v, want %v", n, held, ok, want)
				}
				if !ok {
					return
				}
				if rapid.Bool().Draw(t, "cancel") {
					q.cancel(n)
					return
				}
				position++
				r := Received{Position: position, Bytes: n}
				q.put(r)
				held += n
				waiting = append(waiting, r)
			},
			"take": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip("nothing to take")
				}
				got, err := q.take(t.Context())
				if err != nil || got.Position != waiting[0].Position {
					t.Errorf("take = %d, %v, want %d", got.Position, err, waiting[0].Position)
				}
				held -= got.Bytes
				waiting = waiting[1:]
			},
		})
		q.close()
		for range waiting {
			if _, err := q.take(t.Context()); err != nil {
				t.Errorf("take after close = %v, want what is left", err)
			}
		}
		if _, err := q.take(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("take when closed and empty = %v, want %v", err, ErrClosed)
		}
	})
}
