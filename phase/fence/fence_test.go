package fence_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	_ "modernc.org/sqlite"
	"pgregory.net/rapid"

	"example.test/eddy/phase/fence"
)

const subject = "shop/scheduler/cron"

func nothing(context.Context) error { return nil }

// guards are the implementations, each new.
func guards(t *testing.T) map[string]fence.Guard {
	t.Helper()
	return map[string]fence.Guard{
		"memory":   &fence.Memory{},
		"database": fence.Database{DB: database(t), Dialect: fence.SQLite},
	}
}

func database(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "fence.db")+"?_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(t.Context(), fence.Schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestATokenOlderThanOneThatWasHereIsRefused(t *testing.T) {
	for name, g := range guards(t) {
		for i, tt := range []struct {
			token fence.Token
			want  error
		}{{5, nil}, {5, nil}, {4, fence.ErrStale}, {7, nil}, {5, fence.ErrStale}, {0, fence.ErrUnfenced}, {1 << 63, fence.ErrUnfenced}, {7, nil}} {
			ran := false
			err := g.Do(t.Context(), subject, tt.token, func(context.Context) error { ran = true; return nil })
			if !errors.Is(err, tt.want) || ran != (tt.want == nil) {
				t.Errorf("%s, write %d with token %d: ran %v, error %v, want %v", name, i, tt.token, ran, err, tt.want)
			}
		}
		if err := g.Do(t.Context(), "another/subject", 1, nothing); err != nil {
			t.Errorf("%s: a subject of its own is refused: %v", name, err)
		}
	}
}

func TestWithoutASealTheDeposedHolderWritesUntilTheNewOneHas(t *testing.T) {
	for name, g := range guards(t) {
		if err := g.Do(t.Context(), subject, 1, nothing); err != nil {
			t.Fatal(err)
		}
		// Token 2 has been handed out, and the resource cannot know.
		if err := g.Do(t.Context(), subject, 1, nothing); err != nil {
			t.Errorf("%s: a bare token refused the late write, which it has no way to know of: %v", name, err)
		}
		if err := g.Seal(t.Context(), subject, 2); err != nil {
			t.Fatal(err)
		}
		if err := g.Do(t.Context(), subject, 1, nothing); !errors.Is(err, fence.ErrStale) {
			t.Errorf("%s: after the seal the late write gives %v, want ErrStale", name, err)
		}
		if err := g.Seal(t.Context(), subject, 1); !errors.Is(err, fence.ErrStale) {
			t.Errorf("%s: a late seal gives %v, want ErrStale", name, err)
		}
	}
}

func TestASealWaitsForTheWriteThatIsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g fence.Memory
		finish := make(chan struct{})
		var order []string
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = g.Do(t.Context(), subject, 1, func(context.Context) error {
				<-finish
				order = append(order, "write 1")
				return nil
			})
		})
		synctest.Wait()
		wg.Go(func() {
			_ = g.Seal(t.Context(), subject, 2)
			order = append(order, "seal 2")
		})
		synctest.Wait()
		close(finish)
		wg.Wait()
		if got := strings.Join(order, ", "); got != "write 1, seal 2" {
			t.Errorf("order is %s, want the write before the seal returns", got)
		}
	})
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g fence.Memory
		finish := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = g.Do(t.Context(), subject, 1, func(context.Context) error { <-finish; return nil })
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Seal(ctx, subject, 2); !errors.Is(err, context.Canceled) {
			t.Errorf("Seal = %v, want that the context has ended", err)
		}
		close(finish)
		wg.Wait()
	})
}

func TestAFullMemoryRefusesAndForgetsNobody(t *testing.T) {
	g := fence.Memory{Subjects: 2}
	for i := range 3 {
		err := g.Seal(t.Context(), fmt.Sprint(i), 9)
		if want := i == 2; errors.Is(err, fence.ErrFull) != want {
			t.Errorf("subject %d: %v, want ErrFull: %v", i, err, want)
		}
	}
	if err := g.Do(t.Context(), "0", 8, nothing); !errors.Is(err, fence.ErrStale) {
		t.Errorf("the first subject was forgotten: %v", err)
	}
}

func TestAWriteThatFailsRaisesNothingInTheDatabase(t *testing.T) {
	g := fence.Database{DB: database(t), Dialect: fence.SQLite}
	broken := errors.New("disk full")
	if err := g.Do(t.Context(), subject, 9, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("Do = %v, want the error of the write", err)
	}
	if err := g.Do(t.Context(), subject, 8, nothing); err != nil {
		t.Errorf("token 8 gives %v although nothing was written with 9", err)
	}
}

// However writers interleave, what was accepted is sorted by token.
func TestAcceptedWritesAreInTheOrderOfTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g fence.Memory
		var mu sync.Mutex
		var accepted []fence.Token
		var wg sync.WaitGroup
		for _, token := range rapid.SliceOfN(rapid.Uint64Range(1, 5), 1, 20).Draw(t, "tokens") {
			wg.Go(func() {
				_ = g.Do(context.Background(), subject, fence.Token(token), func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					accepted = append(accepted, fence.Token(token))
					return nil
				})
			})
		}
		wg.Wait()
		for i := 1; i < len(accepted); i++ {
			if accepted[i] < accepted[i-1] {
				t.Fatalf("accepted %v: %d after %d", accepted, accepted[i], accepted[i-1])
			}
		}
	})
}

func TestHTTPRefusesByStatus(t *testing.T) {
	handler := fence.HTTP(&fence.Memory{}, subject, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	good := func(token fence.Token, of string) string {
		h := http.Header{}
		fence.SetHeader(h, of, token)
		return h.Get(fence.Header)
	}
	for i, tt := range []struct {
		method, header string
		status         int
		body           string
	}{
		{"PUT", good(302, subject), 204, ""},
		{"PUT", good(301, subject), 409, `"max":302`},
		{"GET", "", 204, ""},
		{"PUT", "", 428, "want s=SUBJECT;t=NUMBER"},
		{"PUT", "s=x;t=-1", 428, "token"},
		{"PUT", "s=" + strings.Repeat("x", 2000) + ";t=1", 428, "bytes"},
		{"PUT", good(400, "another"), 400, "fenced by"},
	} {
		r := httptest.NewRequest(tt.method, "/", nil)
		r.Header.Set(fence.Header, tt.header)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("request %d, %s with %q: %d %q, want %d %q", i, tt.method, tt.header, w.Code, w.Body, tt.status, tt.body)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add("s=shop%2Fcart;t=302")
	f.Add("t=1;s=x;")
	f.Fuzz(func(t *testing.T, value string) {
		name, token, err := fence.ParseHeader(value)
		if err != nil {
			if !errors.Is(err, fence.ErrUnfenced) {
				t.Errorf("ParseHeader(%q) = %v, want ErrUnfenced", value, err)
			}
			return
		}
		h := http.Header{}
		fence.SetHeader(h, name, token)
		again, same, err := fence.ParseHeader(h.Get(fence.Header))
		if len(h.Get(fence.Header)) <= 1<<10 && (err != nil || again != name || same != token) {
			t.Errorf("%q reads as %q %d, and written and read again as %q %d, %v", value, name, token, again, same, err)
		}
	})
}
