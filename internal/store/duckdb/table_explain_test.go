package duckdb_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/store/duckdb"
)

// plan is a table of rows in which the cause that harm decides makes a row fail
// with the risk, and all others with 0.5 %.
type plan struct {
	rows  int
	risk  float64
	harm  func(r *planned) bool
	since int // rows before it have no cause, as before a deploy
}

// planned is one row.
type planned struct {
	at                   int
	cart, rounding, zone string
	load                 int
	size                 float64
}

func (p plan) csv(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 5))
	var b strings.Builder
	b.WriteString("at,cart,rounding,zone,pod,tenant,load,size,failed\n")
	for i := range p.rows {
		r := planned{
			at:       1700000000 + i*3600/p.rows,
			cart:     []string{"2.3.0", "2.3.1", "2.4.0"}[random.IntN(3)],
			rounding: []string{"half-up", "banker"}[random.IntN(2)],
			zone:     fmt.Sprintf("z%d", random.IntN(4)),
			load:     random.IntN(1000),
			size:     float64(random.IntN(1e6)) / 1000,
		}
		pod := fmt.Sprintf("%s-%d", r.zone, random.IntN(3))
		risk := 0.005
		if i >= p.since && p.harm != nil && p.harm(&r) {
			risk = p.risk
		}
		failed := 0
		if random.Float64() < risk {
			failed = 1
		}
		fmt.Fprintf(&b, "%d,%s,%s,%s,%s,t%d,%d,%.3f,%d\n", r.at, r.cart, r.rounding, r.zone, pod, random.IntN(30), r.load, r.size, failed)
	}
	return b.String()
}

func explain(t *testing.T, src duckdb.TableSource) (interaction.Result, duckdb.TableReading) {
	t.Helper()
	result, reading, err := duckdb.Explain(t.Context(), src, interaction.Options{MaxOrder: 4, Seed: 1, Location: []string{}, Noun: "rows"})
	if err != nil {
		t.Fatal(err)
	}
	return result, reading
}

func sets(r interaction.Result) []string {
	var list []string
	for _, f := range r.Findings {
		var names []string
		for _, c := range f.Conditions {
			names = append(names, c.String())
		}
		list = append(list, string(f.Verdict)+": "+strings.Join(names, " and "))
	}
	return list
}

func pair(r *planned) bool { return r.cart == "2.4.0" && r.rounding == "banker" }

// A sample decides what is looked at; every number is of all rows.
func TestASampleGivesTheAnswerOfTheWholeTable(t *testing.T) {
	for name, p := range map[string]plan{
		"single":    {rows: 20_000, risk: 0.2, harm: func(r *planned) bool { return r.zone == "z2" }},
		"timed":     {rows: 20_000, risk: 0.2, harm: pair},
		"threshold": {rows: 20_000, risk: 0.3, harm: func(r *planned) bool { return pair(r) && r.load > 840 }},
		"entry":     {rows: 20_000, risk: 0.2, harm: pair},
		"late":      {rows: 20_000, risk: 0.2, harm: pair, since: 16_000},
		"nothing":   {rows: 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", p.csv(3))}, Failed: "failed", Ignore: []string{"at"}, Seed: 1}
			if name == "timed" || name == "late" {
				src.Time = "at"
			}
			if name == "entry" {
				src.Time, src.Entry = "at", "zone"
			}
			whole, _ := explain(t, src)
			src.MaxRows = 6_000
			sampled, reading := explain(t, src)
			if !reading.Sampled || len(reading.Table.Rows) > 4_000 {
				t.Errorf("the sample has %d rows, want about 3,000", len(reading.Table.Rows))
			}
			// The chance of a set counts those that were possible: in a sample
			// it is not known which conditions hold in the same rows everywhere.
			same := cmp.Options{
				cmpopts.IgnoreFields(interaction.Finding{}, "P", "For"), cmpopts.IgnoreFields(interaction.Result{}, "Missing"),
				cmpopts.EquateApprox(0.005, 0),
			} // what is expected depends on how thin buckets are merged
			if diff := cmp.Diff(whole, sampled, same); diff != "" {
				t.Errorf("-whole, +sampled:\n%s", diff)
			}
			if p.harm != nil && len(whole.Findings) == 0 {
				t.Error("nothing was found")
			}
		})
	}
}

// Bounds lie at each hundredth of the values, so the nearest to a threshold is
// less than a hundredth away, on the one side or the other.
func TestAThresholdIsAnsweredWithTheNearestBound(t *testing.T) {
	f := func(want string, harm func(r *planned) bool) {
		t.Helper()
		p := plan{rows: 12_000, risk: 0.5, harm: harm}
		result, _ := explain(t, duckdb.TableSource{
			Files: []string{tableFile(t, "f.csv", p.csv(1))}, Failed: "failed", Ignore: []string{"at"},
		})
		got := sets(result)
		if len(got) != 1 {
			t.Errorf("got %q, want only %s", got, want)
			return
		}
		number := regexp.MustCompile(`\b\d+\b( |$)`)
		if a, b := number.ReplaceAllString(got[0], "N "), number.ReplaceAllString(want, "N "); a != b {
			t.Errorf("got %q, want about %q", got[0], want)
		}
		wanted := number.FindAllString(want, -1)
		for i, s := range number.FindAllString(got[0], -1) {
			x, _ := strconv.Atoi(strings.TrimSpace(s))
			y, _ := strconv.Atoi(strings.TrimSpace(wanted[i]))
			if x < y-12 || x > y+12 {
				t.Errorf("got %q, want about %q", got[0], want)
			}
		}
	}
	for _, at := range []int{55, 617, 942} {
		f(fmt.Sprintf("single cause: load > %d", at), func(r *planned) bool { return r.load > at })
	}
	f("single cause: load <= 121", func(r *planned) bool { return r.load <= 121 })
	f("single cause: 400 < load <= 600", func(r *planned) bool { return r.load > 400 && r.load <= 600 })
	f("interaction: load > 661 and zone=z1", func(r *planned) bool { return r.zone == "z1" && r.load > 661 })
	f("interaction: load > 661 and size <= 250", func(r *planned) bool { return r.size <= 250 && r.load > 661 })
}

func TestResultsDoNotDependOnThreads(t *testing.T) {
	src := duckdb.TableSource{
		Files:  []string{tableFile(t, "f.csv", plan{rows: 20_000, risk: 0.2, harm: pair}.csv(9))},
		Failed: "failed", Time: "at", MaxRows: 5_000, Seed: 4,
	}
	before := runtime.GOMAXPROCS(1)
	one, oneReading := explain(t, src)
	runtime.GOMAXPROCS(max(4, before))
	four, fourReading := explain(t, src)
	runtime.GOMAXPROCS(before)
	if diff := cmp.Diff(one, four); diff != "" {
		t.Errorf("-1 thread, +4 threads:\n%s", diff)
	}
	if diff := cmp.Diff(oneReading, fourReading); diff != "" {
		t.Errorf("readings: -1 thread, +4 threads:\n%s", diff)
	}
}

// What a file says of its columns decides how they are counted, not what they say.
func TestParquetIsReadAsItsTextWouldBe(t *testing.T) {
	const query = `SELECT i, TIMESTAMP '2026-05-04 14:00:00' + to_seconds(i) AS at, DATE '2026-01-01' + CAST(i % 3 AS INT) AS day,
		CAST(i % 7 AS TINYINT) AS small, i % 50 AS load, CAST(i % 4 AS DECIMAL(9, 2)) AS price, CAST(i % 3 AS FLOAT) / 2 AS half,
		(i % 97) / 7.0 AS ratio, i % 2 = 0 AS even, CASE WHEN i % 5 > 0 THEN 'x' || (i % 5) ELSE '' END AS name, nullif(i % 6, 0) AS gap, 1 + (i % 4) * 2.5 AS stood,
		CAST(i % 2 = 0 AND i % 7 = 3 AND i % 11 > 0 OR i % 101 = 0 AS INT) AS failed FROM range(3000) r(i)`
	parquet := tableFile(t, "f.parquet", parquetFile(t, query))
	text := tableFile(t, "text.parquet", parquetFile(t, "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")"))
	for _, src := range []duckdb.TableSource{
		{Failed: "failed=1", Time: "at"},
		{Failed: "even"},
		{Failed: "price=2.00", Time: "i", Only: []string{"ratio", "gap", "day"}},
		{Failed: "day=2026-01-02", Only: []string{"at", "half"}},
		{Failed: "gap=", Only: []string{"small"}},
		{Failed: "name=", Only: []string{"i"}},
		{Count: "load", Failures: "gap", Time: "at", Only: []string{"even", "small"}},
		{Failed: "failed", Time: "day", MaxRows: 1000},
		{Failed: "failed", Weight: "stood", Time: "at"},
		{Failed: "failed", Weight: "stood", Time: "at", MaxRows: 1000, Ignore: []string{"i"}},
		{Failed: "failed", Weight: "stood", MaxRows: 25, Only: []string{"even", "name", "load"}},
		{Failed: "failed", Weight: "small"},
		{Slow: "load", Entry: "small", Only: []string{"even", "name"}},
		{Slow: "ratio", Entry: "even", Time: "at", MaxRows: 1000},
		{Slow: "price>1.5", Entry: "gap"},
	} {
		src.Files = []string{text}
		want, wantReading, wantErr := duckdb.Explain(t.Context(), src, interaction.Options{Location: []string{}})
		src.Files = []string{parquet}
		got, gotReading, err := duckdb.Explain(t.Context(), src, interaction.Options{Location: []string{}})
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%+v: error %v, of text %v", src, err, wantErr)
			continue
		}
		if diff := cmp.Diff(wantReading, gotReading); diff != "" {
			t.Errorf("%+v: -text, +typed:\n%s", src, diff)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: -text, +typed:\n%s", src, diff)
		}
	}
}

func TestEmptyTextAndNullOfParquetAreOneState(t *testing.T) {
	path := tableFile(t, "f.parquet", parquetFile(t, `SELECT CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE 'y' END AS said, i % 5 AS x,
		i % 4 < 2 AND i % 3 > 0 AS failed FROM range(60_000) r(i)`))
	for _, most := range []int{0, 10_000, 580} { // whole, sampled, and the values counted in the sample
		src := duckdb.TableSource{Files: []string{path}, Failed: "failed", MaxRows: most}
		result, reading := explain(t, src)
		if got := sets(result); !slices.Equal(got, []string{"single cause: said=(empty)"}) || result.Findings[0].Cells[0].Total != 30_000 {
			t.Fatalf("got %q, want said=(empty), of 30,000 rows: %+v", got, result.Findings)
		}
		if reading.Columns[0].Values != 2 {
			t.Errorf("got %d different values, want 2", reading.Columns[0].Values)
		}
	}
}

func TestRowsOfSeveralParquetFilesAreDrawnOnce(t *testing.T) {
	var files []string
	for i := range 3 {
		files = append(files, tableFile(t, fmt.Sprintf("%d.parquet", i), parquetFile(t, fmt.Sprintf(
			"SELECT 'f%d' AS file, (i * 7919) %% 13 AS x, (i * 31) %% 17 < 1 AND %d = 2 AS failed FROM range(4000) r(i)", i, i))))
	}
	src := duckdb.TableSource{Files: files, Failed: "failed", MaxRows: 3000}
	result, reading := explain(t, src)
	if got := sets(result); !slices.Equal(got, []string{"single cause: file=f2"}) || reading.Rows != 12_000 {
		t.Errorf("got %q of %d rows, want file=f2 of 12,000", got, reading.Rows)
	}
}
