package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/store/duckdb"
)

// oddTable is a table in which cells are of all kinds: a column of very many
// numbers with words between, others of few and of many, words short and long, and
// empty cells everywhere.
func oddTable(rows int, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 7))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var b strings.Builder
	b.WriteString("at,took,load,route,cart,rounding,odd,cnt,bad,failed\n")
	for i := range rows {
		took := fmt.Sprintf("%.6f", random.NormFloat64()*1e3)
		if random.IntN(20) == 0 {
			took = pick("", "n/a", "inf", "-0.0", "1e400", "0")
		}
		at := fmt.Sprint(1700000000 + i*3600/rows)
		if random.IntN(50) == 0 {
			at = ""
		}
		cart, rounding := pick("2.3.0", "2.4.0", ""), pick("half-up", "banker")
		failed := 0
		if random.IntN(100) == 0 || cart == "2.4.0" && rounding == "banker" && random.IntN(5) == 0 {
			failed = 1
		}
		route := pick("/a", "/cart/items/of/a/long/name", "/cart/items/of/a/long/game", "", "/b")
		odd := pick("", "12", " 12", "012", "twelve bytes", "thirteen byte", "ключ", `"q,"`, "\"\"", "+1", "1_000")
		fmt.Fprintf(&b, "%s,%s,%d,%s,%s,%s,%s,%d,%d,%d\n", at, took, random.IntN(1000), route, cart, rounding, odd, random.IntN(3), 0, failed)
	}
	return b.String()
}

// Lines that are held in memory are asked in Go, others in SQL.
func TestHeldLinesAnswerAsCopiedOnesDo(t *testing.T) {
	small, large := oddTable(2_000, 1), oddTable(13_000, 2)
	// A column whose words need one byte each, then two, then four.
	var growing strings.Builder
	growing.WriteString("word,cart,failed\n")
	for i := range 80_000 {
		word := i % 90
		if i > 13_000 {
			word = i
		}
		fmt.Fprintf(&growing, "w%d,%d,%d\n", word, i%7, min(1, i%7/6*(i%5/4)))
	}
	for name, c := range map[string]struct {
		content string
		src     duckdb.TableSource
	}{
		"whole":       {small, duckdb.TableSource{Failed: "failed"}},
		"timed":       {small, duckdb.TableSource{Failed: "failed", Time: "at"}},
		"sampled":     {small, duckdb.TableSource{Failed: "failed", Time: "at", MaxRows: 1000}},
		"one stratum": {small, duckdb.TableSource{Failed: "failed", MaxRows: 1000, Seed: 7}},
		"entries":     {small, duckdb.TableSource{Failed: "failed", Entry: "route", Time: "at", MaxRows: 1000}},
		"counts":      {small, duckdb.TableSource{Count: "cnt", Failures: "bad", Time: "at"}},
		"no entries":  {small, duckdb.TableSource{Failed: "failed", Entry: "odd", Ignore: []string{"took"}}},
		"growing":     {growing.String(), duckdb.TableSource{Failed: "failed"}},
		"many":        {large, duckdb.TableSource{Failed: "failed", Time: "at", MaxRows: 2000}},
		"one of many": {large, duckdb.TableSource{Failed: "failed", Only: []string{"took", "odd"}}},
	} {
		t.Run(name, func(t *testing.T) { sameHeld(t, c.content, c.src) })
	}
}

func TestHeldLinesOfSmallTablesAnswerAsCopiedOnesDo(t *testing.T) {
	values := []string{"", "x", "y", "1", "01", "\"q,\"", "2.50", "a text of more than twelve bytes", "a text of more than twelve more"}
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		var b strings.Builder
		b.WriteString("a,b,failed\nx,y,0\nx,y,1\n")
		for range random.IntN(60) {
			fmt.Fprintf(&b, "%s,%s,%s\n", values[random.IntN(len(values))], values[random.IntN(len(values))], []string{"0", "1", ""}[random.IntN(3)])
		}
		sameHeld(t, b.String(), duckdb.TableSource{Failed: "failed"})
	}
}

func TestLinesThatTurnOutTooLargeToBeHeldAreCopied(t *testing.T) {
	var b strings.Builder
	b.WriteString("a,b,failed\n")
	for i := range 400 {
		fmt.Fprintf(&b, "%d %s,%d,%d\n", i%199, strings.Repeat("x", 1000), i%3, min(1, i%19*i%7))
	}
	for _, bytes := range []int{30_000, 100_000} { // the words take more
		sameHeldIn(t, bytes, b.String(), duckdb.TableSource{Failed: "failed"})
	}
}

// sameHeld explains a table that is held, and the same if it is copied.
func sameHeld(t *testing.T, content string, src duckdb.TableSource) {
	t.Helper()
	sameHeldIn(t, 1<<30, content, src)
}

// sameHeldIn does with so many bytes for lines.
func sameHeldIn(t *testing.T, bytes int, content string, src duckdb.TableSource) {
	t.Helper()
	src.Files = []string{tableFile(t, "f.csv", content)}
	ask := func(bytes int) (interaction.Result, duckdb.TableReading, string) {
		result, reading, err := duckdb.ExplainHolding(t.Context(), src, interaction.Options{MaxOrder: 2}, bytes)
		return result, reading, fmt.Sprint(err)
	}
	want, wantReading, wantErr := ask(0)
	got, reading, err := ask(bytes)
	if err != wantErr {
		t.Errorf("held in %d bytes: error %s, copied %s", bytes, err, wantErr)
	}
	if diff := cmp.Diff(wantReading, reading); diff != "" {
		t.Errorf("-copied, +held in %d bytes:\n%s", bytes, diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-copied, +held in %d bytes:\n%s", bytes, diff)
	}
}

func TestAnErrorInTextIsThatOfTheDriver(t *testing.T) {
	lines := strings.Repeat("1,0\n", 20_000)
	for want, content := range map[string]string{
		"line 20002: 1 columns, but the header has 2": "a,failed\n" + lines + "2\n",
		"line 20002: not UTF-8 text":                  "a,failed\n" + lines + "caf\xe9,1\n",
		"line 20002: a quote opens and never closes":  "a,failed\n" + lines + "\"2,1\n",
	} {
		src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed"}
		for _, bytes := range []int{0, 1 << 30} {
			_, _, err := duckdb.ExplainHolding(t.Context(), src, interaction.Options{}, bytes)
			if err == nil || !strings.Contains(err.Error(), "f.csv: "+want) {
				t.Errorf("held in %d bytes: got error %v, want %s", bytes, err, want)
			}
		}
	}
}

func TestReadingEndsWhenItIsNoLongerWanted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", oddTable(20_000, 1))}, Failed: "failed"}
	src.Progress = func(doing string) {
		if strings.HasPrefix(doing, "reading") {
			cancel()
		}
	}
	_, _, err := duckdb.Explain(ctx, src, interaction.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}
