package duckdb_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/store/duckdb"
)

// slowPlan is a table of requests to routes that usually take 12, 40 and 300,
// give or take a fifth. Where harm says so they take 40 % longer; none fails.
type slowPlan struct {
	rows  int
	harm  func(r *planned) bool
	since int
	write func(ms float64) string
}

func (p slowPlan) csv(seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 6))
	usual := []float64{12, 40, 300}
	write := p.write
	if write == nil {
		write = func(ms float64) string { return fmt.Sprintf("%.2f", ms) }
	}
	var b strings.Builder
	b.WriteString("at,route,cart,rounding,zone,took\n")
	for i := range p.rows {
		r := planned{
			at:       1700000000 + i*3600/p.rows,
			cart:     []string{"2.3.0", "2.3.1", "2.4.0"}[random.IntN(3)],
			rounding: []string{"half-up", "banker"}[random.IntN(2)],
			zone:     fmt.Sprintf("z%d", random.IntN(4)),
		}
		route := random.IntN(3)
		ms := usual[route] * math.Exp(0.2*random.NormFloat64())
		if i >= p.since && p.harm != nil && p.harm(&r) {
			ms *= 1.4
		}
		fmt.Fprintf(&b, "%d,/r%d,%s,%s,%s,%s\n", r.at, route, r.cart, r.rounding, r.zone, write(ms))
	}
	return b.String()
}

func slowSource(t *testing.T, content string) duckdb.TableSource {
	t.Helper()
	return duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Slow: "took", Ignore: []string{"at"}, Seed: 1}
}

const slowPair = "interaction: cart=2.4.0 and rounding=banker"

func TestWhatMakesRowsSlowerIsFoundThoughNoneFails(t *testing.T) {
	for name, c := range map[string]struct {
		plan   slowPlan
		change func(*duckdb.TableSource)
	}{
		"by the quantile of the route":      {slowPlan{rows: 6000}, func(s *duckdb.TableSource) { s.Entry = "route" }},
		"of the same time":                  {slowPlan{rows: 6000}, func(s *duckdb.TableSource) { s.Entry, s.Time = "route", "at" }},
		"by what was usual before":          {slowPlan{rows: 6000, since: 4000}, func(s *duckdb.TableSource) { s.Entry, s.Time, s.Since = "route", "at", time.Unix(1700002400, 0) }},
		"in a sample":                       {slowPlan{rows: 12_000}, func(s *duckdb.TableSource) { s.Entry, s.MaxRows = "route", 6000 }},
		"in a sample that tells the values": {slowPlan{rows: 60_000}, func(s *duckdb.TableSource) { s.Entry, s.MaxRows = "route", 580*1 }},
	} {
		t.Run(name, func(t *testing.T) {
			c.plan.harm = pair
			src := slowSource(t, c.plan.csv(1))
			c.change(&src)
			result, reading := explain(t, src)
			if got := sets(result); !slices.Equal(got, []string{slowPair}) {
				t.Errorf("got %q, want %q; limits %+v", got, slowPair, reading.Slow)
			}
		})
	}
}

// A route that always takes long is no cause of rows that take longer than usual;
// of rows that take longer than all others it is the only one.
func TestEntriesOfDifferentLatencyAreNoCause(t *testing.T) {
	src := slowSource(t, slowPlan{rows: 6000}.csv(2))
	result, _ := explain(t, src)
	if got := sets(result); !slices.Equal(got, []string{"single cause: route=/r2"}) {
		t.Errorf("without entries: got %q, want route=/r2, which takes longest", got)
	}
	src.Entry = "route"
	result, reading := explain(t, src)
	if len(result.Findings) != 0 || result.Verdict != interaction.NoExplanation {
		t.Errorf("with entries: got %q, want nothing", sets(result))
	}
	if share := float64(reading.Failed) / float64(reading.Rows); share < 0.04 || share > 0.05 {
		t.Errorf("%.2f %% of rows are slow, want nearly 5 %%", 100*share)
	}
	for _, c := range reading.Columns {
		if c.Name == "took" || c.Name == "route" && c.Kind != "entry" {
			t.Errorf("column %+v: the duration is no condition, and the route is the entry", c)
		}
	}
}

func TestFailuresAreComparedWithinTheEntry(t *testing.T) {
	var b strings.Builder
	b.WriteString("route,zone,failed\n")
	random := rand.New(rand.NewPCG(3, 4))
	for range 4000 { // one route fails more, and is met more often from one zone
		route, zone, risk := "/a", "east", 0.02
		if random.IntN(2) == 0 {
			route, risk = "/b", 0.2
		}
		if random.Float64() < map[string]float64{"/a": 0.2, "/b": 0.8}[route] {
			zone = "west"
		}
		failed := 0
		if random.Float64() < risk {
			failed = 1
		}
		fmt.Fprintf(&b, "%s,%s,%d\n", route, zone, failed)
	}
	src := duckdb.TableSource{Files: []string{tableFile(t, "f.csv", b.String())}, Failed: "failed"}
	if result, _ := explain(t, src); len(result.Findings) == 0 {
		t.Error("without entries nothing was found")
	}
	src.Entry = "route"
	if result, _ := explain(t, src); len(result.Findings) != 0 {
		t.Errorf("with entries: got %q, want nothing", sets(result))
	}
}

func TestNothingIsFoundWhereNothingMakesRowsSlower(t *testing.T) {
	found := 0
	for seed := range uint64(8) {
		src := slowSource(t, slowPlan{rows: 2000}.csv(10+seed))
		src.Entry = "route"
		result, _ := explain(t, src)
		found += min(1, len(result.Findings))
	}
	if found > 2 {
		t.Errorf("something was found in %d of 8 tables without a cause, want about 1 in 20", found)
	}
}

func TestARowIsSlowAboveTheQuantileOfItsEntry(t *testing.T) {
	var b strings.Builder
	b.WriteString("at,route,x,took\n")
	for i := range 200 {
		fmt.Fprintf(&b, "%d,/a,%d,%d\n", 1700000000+i, i%2, i+1)       // 1 to 200
		fmt.Fprintf(&b, "%d,,%d,%d\n", 1700000000+i, i%3, 1000+i)      // no route is one too
		fmt.Fprintf(&b, "%d,/new,%d,%d\n", 1700000300+i, i%3, 50+10*i) // came later
	}
	for i := range 30 {
		fmt.Fprintf(&b, "%d,/rare,0,%d\n", 1700000000+i, i)
	}
	b.WriteString("1700000000,/a,0,\n") // how long it took is not known
	src := duckdb.TableSource{
		Files: []string{tableFile(t, "f.csv", b.String())}, Slow: "took", Quantile: 0.9, Entry: "route", Time: "at", Since: time.Unix(1700000250, 0).UTC(),
	}
	reading := readTable(t, src)
	want := &duckdb.TableSlow{Column: "took", Quantile: 0.9, Before: src.Since, Limit: 1156, Entries: []duckdb.EntryLimit{
		{Entry: duckdb.Empty, Rows: 200, Limit: 1179}, {Entry: "/a", Rows: 200, Limit: 180},
	}}
	if diff := cmp.Diff(want, reading.Slow); diff != "" {
		t.Errorf("limits: -want, +got:\n%s", diff)
	}
	// 20 of /a, 20 without a route, and of /new those above 1,156.
	if reading.Rows != 630 || reading.Failed != 20+20+89 {
		t.Errorf("%d of %d rows are slow, want 129 of 630", reading.Failed, reading.Rows)
	}
	notes := strings.Join(reading.Notes, "\n")
	for _, want := range []string{
		"1 of 631 rows are left out: took or at is empty in them.",
		"2 values of route had fewer than 100 rows before 2023-11-14T22:17:30Z", "their 230 rows count as slow above 1156",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes do not say %q:\n%s", want, notes)
		}
	}
}

// However many digits durations have, the limit is one of them, and no more rows
// are above it than the quantile lets.
func TestNoMoreAreSlowThanTheQuantileSays(t *testing.T) {
	f := func(name string, took func(i int) float64) {
		t.Helper()
		var b strings.Builder
		b.WriteString("x,took\n")
		values := map[float64]bool{}
		for i := range 2000 {
			values[took(i)] = true
			fmt.Fprintf(&b, "%d,%v\n", i%2, took(i))
		}
		reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, "f.csv", b.String())}, Slow: "took"})
		if reading.Failed > 100 || reading.Failed < 80 || !values[reading.Slow.Limit] {
			t.Errorf("%s: %d of 2,000 rows are slow, above %v; want 100 or a few less, above one that occurs", name, reading.Failed, reading.Slow.Limit)
		}
	}
	f("whole", func(i int) float64 { return float64(i * 7 % 2000) })
	f("seconds", func(i int) float64 { return float64(i*7%2000) / 1e4 })
	f("close", func(i int) float64 { return 120 + float64(i*7%2000)/1000 })
	f("skewed", func(i int) float64 { return math.Exp(float64(i*7%2000) / 100) })
	f("negative", func(i int) float64 { return float64(i*7%2000) - 1950 })
}

func TestDurationsMayNameTheirUnits(t *testing.T) {
	cells := []string{"120ms", "1.5s", "250000us", "1m30s", "300 ms", "0", "2h", "90µs"}
	var content strings.Builder
	content.WriteString("x,took\n")
	for i, c := range cells {
		fmt.Fprintf(&content, "%d,%s\n", i%2, c)
	}
	f := func(slow string, want int) {
		t.Helper()
		reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content.String())}, Slow: slow})
		if reading.Failed != want || reading.Rows != len(cells) {
			t.Errorf("--slow '%s': %d of %d rows are slow, want %d of %d", slow, reading.Failed, reading.Rows, want, len(cells))
		}
	}
	f("took>250ms", 4)
	f("took > 249.9ms", 5)
	f("took>1m29.9s", 2)
	f("took>80us", 7)
}

func TestAnObjectiveIsNumberOfTheColumn(t *testing.T) {
	content := "a>b,x,failed\n10,1,0\n20,2,1\n30,1,0\n"
	f := func(slow string, want int) {
		t.Helper()
		reading := readTable(t, duckdb.TableSource{Files: []string{tableFile(t, "f.csv", content)}, Slow: slow})
		if reading.Failed != want {
			t.Errorf("--slow '%s': %d rows are slow, want %d", slow, reading.Failed, want)
		}
		parquet := tableFile(t, "f.parquet", parquetFile(t, "SELECT 10*i AS \"a>b\", i % 2 AS x FROM range(1, 4) r(i)"))
		if reading := readTable(t, duckdb.TableSource{Files: []string{parquet}, Slow: slow}); reading.Failed != want {
			t.Errorf("--slow '%s' of Parquet: %d rows are slow, want %d", slow, reading.Failed, want)
		}
	}
	f("a>b>20", 1)
	f("a>b > 19.5", 2)
	f("a>b>1e1", 2)
}

func TestErrorsAboutDurationsSayWhatToDo(t *testing.T) {
	ok := "x,took,r\n1,10,a\n2,20,a\n3,30,b\n"
	for name, c := range map[string]struct {
		content string
		src     duckdb.TableSource
		want    []string
	}{
		"unknown":      {ok, duckdb.TableSource{Slow: "tok"}, []string{`--slow: `, `did you mean "took"?`}},
		"unknown_more": {ok, duckdb.TableSource{Slow: "tok > 3"}, []string{`--slow: `, `did you mean "took"?`}},
		"limit":        {ok, duckdb.TableSource{Slow: "took>long"}, []string{`--slow: limit "long": want a number, or a duration such as 250ms`}},
		"no_column":    {ok, duckdb.TableSource{Slow: ">5"}, []string{"want COLUMN or COLUMN>LIMIT"}},
		"two_limits":   {ok, duckdb.TableSource{Slow: "took>5", Quantile: 0.9}, []string{"--quantile: ", "give one of the two"}},
		"quantile":     {ok, duckdb.TableSource{Slow: "took", Quantile: 95}, []string{"quantile 95: want above 0 and below 1"}},
		"no_slow":      {ok, duckdb.TableSource{Failed: "x", Quantile: 0.9}, []string{"give --slow COLUMN as well"}},
		"two_ways":     {ok, duckdb.TableSource{Failed: "x", Slow: "took"}, []string{"give one of the two"}},
		"two_roles":    {ok, duckdb.TableSource{Slow: "took", Entry: "took"}, []string{`--slow: column "took" is already --entry`}},
		"entry":        {ok, duckdb.TableSource{Slow: "took", Entry: "route"}, []string{`--entry: `, `no column "route"`}},
		"only_entry":   {ok, duckdb.TableSource{Slow: "took", Entry: "r", Ignore: []string{"x"}}, []string{"no column is left"}},
		"none_above":   {ok, duckdb.TableSource{Slow: "took>30"}, []string{"--slow: ", "no row was slow: none has took > 30, and the longest took 30"}},
		"all_above":    {ok, duckdb.TableSource{Slow: "took>1"}, []string{"--slow: ", "every row was slow: all have took > 1, and the shortest took 10"}},
		"all_equal":    {"x,took\n1,7\n2,7\n", duckdb.TableSource{Slow: "took"}, []string{"no row was slow: none took longer than the quantile 0.95, which of all rows is 7", "--slow 'took>7'"}},
		"none_before":  {"x,took,at\n1,7,1700000000\n2,8,1700000001\n", duckdb.TableSource{Slow: "took", Time: "at", Since: time.Unix(1.6e9, 0).UTC()}, []string{"--since: no row of ", "is from before 2020-09-13T12:26:40Z", "--slow 'took>250'"}},
		"word":         {"x,took\n1,7\n2,n/a\n3,-\n4,n/a\n", duckdb.TableSource{Slow: "took"}, []string{`no duration: "n/a" (2 rows), "-" (1 row)`}},
		"infinite":     {"x,took\n1,7\n2,inf\n", duckdb.TableSource{Slow: "took"}, []string{`no duration: "inf" (1 row)`}},
		"mixed":        {"x,took\n1,7\n2,8ms\n", duckdb.TableSource{Slow: "took"}, []string{`column "took": 1 duration name a unit and 1 do not`}},
		"unit_lacks":   {"x,took\n1,7ms\n2,8ms\n", duckdb.TableSource{Slow: "took>7"}, []string{"the limit needs one too, as in 'took>7ms'"}},
		"unit_extra":   {ok, duckdb.TableSource{Slow: "took>7ms"}, []string{"are plain numbers, so the limit is one too"}},
		"all_empty":    {"x,took\n1,\n2,\n", duckdb.TableSource{Slow: "took"}, []string{"2 rows, and in none of them is it said how long it took"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Files = []string{tableFile(t, "f.csv", c.content)}
			refused(t, c.src, c.want)
		})
	}
}

func TestAnEntryWithAValueForEachRowIsRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,x,took,failed\n")
	for i := range 10_500 {
		fmt.Fprintf(&b, "/order/%d,%d,%d,%d\n", i, i%3, i%100, i%2)
	}
	file := tableFile(t, "f.csv", b.String())
	for _, src := range []duckdb.TableSource{{Slow: "took"}, {Failed: "failed"}} {
		src.Files, src.Entry = []string{file}, "id"
		if _, err := duckdb.ReadTable(t.Context(), src); err == nil || !strings.Contains(err.Error(), `--entry: column "id" has more than 10,000 different values`) {
			t.Errorf("got error %v, want that the entry has too many values", err)
		}
	}
}
