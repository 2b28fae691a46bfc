package duckdb_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/store/duckdb"
)

// kept is a table of which the failures were kept, and one in some of the other rows: in
// four, ten or thirty, by zone. A column says so.
func kept(content string, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 9))
	lines := strings.Split(strings.TrimSpace(content), "\n")
	var b strings.Builder
	b.WriteString("kept," + lines[0] + "\n")
	for _, line := range lines[1:] {
		of := map[string]int{"z0": 4, "z1": 10}[strings.Split(line, ",")[3]]
		if of == 0 {
			of = 30
		}
		switch {
		case strings.HasSuffix(line, ",1"):
			b.WriteString("," + line + "\n")
		case random.IntN(of) == 0:
			fmt.Fprintf(&b, "%d,%s\n", of, line)
		}
	}
	return b.String()
}

func TestSuccessesThatWereSampledGiveTheRisksOfTheWholeTable(t *testing.T) {
	cells, outside := 0, 0
	for seed := range uint64(2) {
		content := plan{rows: 30_000, risk: 0.2, harm: pair}.csv(seed)
		src := duckdb.TableSource{Files: []string{tableFile(t, "whole.csv", content)}, Failed: "failed", Time: "at", Ignore: []string{"size"}}
		whole, all := explain(t, src)
		src.Files, src.Weight = []string{tableFile(t, "kept.csv", kept(content, seed))}, "kept"
		for way, c := range map[string]struct{ most, bytes int }{
			"held": {0, 1 << 30}, "copied": {0, 0}, "held, a sample": {1500, 1 << 30}, "copied, a sample": {1500, 0},
		} {
			src.MaxRows = c.most
			got, reading, err := duckdb.ExplainHolding(t.Context(), src, interaction.Options{MaxOrder: 4, Seed: 1, Noun: "rows"}, c.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Findings) == 0 || sets(got)[0] != sets(whole)[0] {
				t.Fatalf("seed %d, %s: got %q, of all rows %q", seed, way, sets(got), sets(whole))
			}
			if requests := float64(reading.Weight.Requests); reading.Rows > all.Rows/5 || math.Abs(requests-float64(all.Rows)) > 0.05*float64(all.Rows) {
				t.Errorf("seed %d, %s: %d rows stand for %v, want some that stand for about %d", seed, way, reading.Rows, requests, all.Rows)
			}
			for i, cell := range got.Findings[0].Cells {
				cells++
				if want := whole.Findings[0].Cells[i].Risk; want < cell.Low || want > cell.High {
					outside++
				}
			}
		}
		src.Weight, src.Ignore = "", append(src.Ignore, "kept")
		if unweighted, _ := explain(t, src); len(unweighted.Findings) > 0 && unweighted.Findings[0].Cells[0].Risk < 0.5 {
			t.Errorf("seed %d: risk %v without weights: this test could not tell", seed, unweighted.Findings[0].Cells[0].Risk)
		}
	}
	// An interval of 95 % may miss.
	if outside > cells/8 {
		t.Errorf("%d of %d intervals do not hold the risk in all rows", outside, cells)
	}
}

func TestFailuresOfAWeightAreCountedOnceAndNamed(t *testing.T) {
	src := duckdb.TableSource{Failed: "failed", Weight: "w", Files: []string{tableFile(t, "f.csv", "a,w,failed\n1,10,0\n1,10,1\n2,10,0\n2,,1\n")}}
	_, reading := explain(t, src)
	if want := (duckdb.TableWeight{Column: "w", Requests: 22}); *reading.Weight != want {
		t.Errorf("got %+v, want %+v", *reading.Weight, want)
	}
	const want = "Of the rows that failed, 1 have a w above 1: each was counted once"
	if notes := strings.Join(reading.Notes, " "); !strings.Contains(notes, want) {
		t.Errorf("got %q, want %q", notes, want)
	}
}

// It is refused in a row that failed, in one that did not, and in one that does not
// say, wherever the rows are.
func TestWhatIsNoWeightIsRefusedInAnyRow(t *testing.T) {
	refused := func(name, content, weight, outcome string, held int) {
		t.Helper()
		src := duckdb.TableSource{Files: []string{tableFile(t, name, content)}, Failed: "failed", Weight: "w"}
		_, _, err := duckdb.ExplainHolding(t.Context(), src, interaction.Options{}, held)
		if err == nil || !strings.Contains(err.Error(), name+`: column "w": 1 of 5 rows hold no weight, the first of them row 4 below the header: "`) {
			t.Errorf("%s, held in %d bytes: a weight of %s where failed is %q: %v, want that row 4 is refused", name, held, weight, outcome, err)
		}
	}
	text := func(weight, outcome string) string {
		return fmt.Sprintf("x,w,failed\na,20,0\na,1,1\nb,,0\nb,%q,%s\nb,20,0\n", weight, outcome)
	}
	for _, weight := range []string{"-3", "0", "0.99", "1000001", "nan", "inf", "-inf", "ten", "1,5"} {
		refused("f.csv", text(weight, "1"), weight, "1", 1<<30)
	}
	for _, weight := range []string{"-3", "nan"} {
		for _, outcome := range []string{"0", "1", ""} {
			query := fmt.Sprintf("FROM (VALUES ('a', '20', '0'), ('a', '1', '1'), ('b', '', '0'), ('b', '%s', '%s'), ('b', '20', '0')) AS t(x, w, failed)", weight, outcome)
			refused("f.csv", text(weight, outcome), weight, outcome, 0)
			refused("f.csv", text(weight, outcome), weight, outcome, 1<<30)
			refused("text.parquet", parquetFile(t, "SELECT * "+query), weight, outcome, 0)
			refused("numbers.parquet", parquetFile(t, "SELECT x, try_cast(w AS DOUBLE) AS w, failed "+query), weight, outcome, 0)
		}
	}
}

func TestWeightsOfOneChangeNothing(t *testing.T) {
	content := plan{rows: 4_000, risk: 0.2, harm: pair}.csv(1)
	ones := "one," + strings.ReplaceAll(strings.TrimSpace(content), "\n", "\n1,") + "\n"
	for _, most := range []int{0, 1000} {
		src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Failed: "failed", Time: "at", MaxRows: most, Ignore: []string{"size", "tenant"}}
		want, _ := explain(t, src)
		src.Files, src.Weight = []string{tableFile(t, "ones.csv", ones)}, "one"
		got, _ := explain(t, src)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("at most %d rows: with weights of 1 %v, without %v", most, got, want)
		}
	}
}

// Weights of lines that are held are added up in Go, others in SQL.
func TestWeightsOfHeldLinesCountAsThoseOfCopiedOnesDo(t *testing.T) {
	var odd strings.Builder
	random := rand.New(rand.NewPCG(3, 3))
	for i, line := range strings.Split(strings.TrimSpace(oddTable(2_000, 3)), "\n") {
		weight := "weight"
		if i > 0 {
			weight = []string{"", "1", fmt.Sprint(1 + random.ExpFloat64()*20), "2.5", "1000000", "1e3", " 7"}[random.IntN(7)]
		}
		odd.WriteString(weight + "," + line + "\n")
	}
	for name, src := range map[string]duckdb.TableSource{
		"whole":   {Failed: "failed", Time: "at"},
		"sampled": {Failed: "failed", Time: "at", MaxRows: 1000},
		"entries": {Failed: "failed", Entry: "route", Time: "at", MaxRows: 1000},
		"counts":  {Count: "cnt", Failures: "bad", Time: "at"},
		"slow":    {Slow: "load>900", Time: "at", Ignore: []string{"took"}},
	} {
		src.Weight = "weight"
		t.Run(name, func(t *testing.T) { sameHeld(t, odd.String(), src) })
	}
}

func TestWhatWasFoundWeighsTheSameWhenItIsCounted(t *testing.T) {
	for _, list := range [][]float64{{1}, {7, 7, 7}, {1, 50}, {1, 1, 1, 1, 1000}, {2, 2, 3, 2.5, 40, 1, 1}, {1, 1000, 1000, 1000}} {
		var units, squares float64
		for _, w := range list {
			units, squares = units+64*w, squares+64*64*w*w
		}
		var n, sum, sum2 float64
		parts := duckdb.DivideWeights(int64(len(list)), units, squares)
		for _, p := range parts {
			if p.Each < 1 {
				t.Errorf("%v: divided into %v, where one weighs less than 1", list, parts)
			}
			n, sum, sum2 = n+p.N, sum+p.N*p.Each, sum2+p.N*p.Each*p.Each
		}
		if n != float64(len(list)) || math.Abs(64*sum-units) > 1e-9*units || math.Abs(64*64*sum2-squares) > 1e-9*squares {
			t.Errorf("%v: divided into %v", list, parts)
		}
	}
}
