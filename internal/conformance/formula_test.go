package conformance_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// migration is the example contract of a table that changes its schema.
func migration(t fataler) *contract.Contract {
	t.Helper()
	return parse(t, "../../examples/contracts/expand-contract.yaml")
}

// allowed is the matrix of expand-contract, written out by hand: in which phase who
// may read what whom has written. A version that nobody of the phase or of a
// neighbour writes is not there.
func allowed(phase, writer, reader string) bool {
	readers := map[string][]string{
		"V1_ONLY": {"app-41", "app-42"}, "EXPANDED": {"app-41", "app-42"}, "DUAL": {"app-42"}, "BACKFILLED": {"app-42"},
		"SWITCHED": {"app-42", "app-43"}, "CONTRACTED": {"app-43"},
	}
	writers := map[string][]string{ // of the phase and of its neighbours
		"V1_ONLY": {"app-41", "app-42"}, "EXPANDED": {"app-41", "app-42"}, "DUAL": {"app-41", "app-42"}, "BACKFILLED": {"app-42", "app-43"},
		"SWITCHED": {"app-42", "app-43"}, "CONTRACTED": {"app-42", "app-43"},
	}
	return slices.Contains(readers[phase], reader) && slices.Contains(writers[phase], writer)
}

// exchange is one truth: a message that was processed.
type exchange struct {
	minute                int
	phase, writer, reader string
	failed, named         bool
	kind                  telemetry.Kind
}

func (e exchange) request(n int) request.Request {
	list := []telemetry.Attribute{{Key: attr.PhaseContract, Value: "expand-contract@1"}, {Key: attr.PhaseSubject, Value: "db/shop/orders"}}
	if e.named {
		list = append(list, telemetry.Attribute{Key: attr.SchemaWriterVersion, Value: e.writer}, telemetry.Attribute{Key: attr.SchemaReaderVersion, Value: e.reader},
			telemetry.Attribute{Key: attr.PhaseActual, Value: e.phase})
	}
	if e.failed {
		list = append(list, telemetry.Attribute{Key: attr.ErrorType, Value: attr.ErrorTypeSchema})
	}
	s := &telemetry.Span{
		Trace: telemetry.TraceID{1, byte(n >> 8), byte(n)}, ID: telemetry.SpanID{byte(n >> 8), byte(n), 1}, Kind: e.kind,
		Start: began.Add(time.Duration(e.minute) * time.Minute), End: began.Add(time.Duration(e.minute) * time.Minute),
		Resource: &telemetry.Resource{Service: "orders", Version: e.reader}, Attributes: telemetry.NewAttributes(list),
	}
	return request.Request{ID: request.ID{Trace: s.Trace, Span: s.ID}, Start: s.Start, Spans: []*telemetry.Span{s}}
}

func TestM4AndF3EqualACountOfTheTruth(t *testing.T) {
	c := migration(t)
	apps, phases := []string{"app-41", "app-42", "app-43"}, []string{"V1_ONLY", "EXPANDED", "DUAL", "BACKFILLED", "SWITCHED", "CONTRACTED"}
	rapid.Check(t, func(t *rapid.T) {
		truth := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) exchange {
			return exchange{
				rapid.IntRange(0, 59).Draw(t, "minute"), rapid.SampledFrom(phases).Draw(t, "phase"), rapid.SampledFrom(apps).Draw(t, "writer"), rapid.SampledFrom(apps).Draw(t, "reader"),
				rapid.Bool().Draw(t, "failed"), rapid.Bool().Draw(t, "named"), rapid.SampledFrom([]telemetry.Kind{telemetry.KindServer, telemetry.KindConsumer, telemetry.KindInternal}).Draw(t, "kind"),
			}
		}), 1, 60).Draw(t, "truth")
		m := monitor(c)
		for _, n := range rapid.Permutation(numbers(len(truth))).Draw(t, "arrival") {
			m.Requests(began, []request.Request{truth[n].request(n)})
		}
		length := time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Minute
		now := began.Add(time.Hour)
		var failed, processed, explained float64
		forbidden := make(map[[3]string]bool)
		for _, e := range truth {
			if began.Add(time.Duration(e.minute) * time.Minute).Before(now.Add(-length)) {
				continue
			}
			if e.kind != telemetry.KindInternal {
				processed++
			}
			if e.failed {
				failed++
			}
			if e.named && !allowed(e.phase, e.writer, e.reader) {
				forbidden[[3]string{e.phase, e.writer, e.reader}] = true
				if e.failed {
					explained++
				}
			}
		}
		r := m.Report(length, now)
		if r.M4.Part != failed || r.M4.Of != processed || r.Explained != explained {
			t.Errorf("M4 %v of %v, %v explained, want %v of %v, %v", r.M4.Part, r.M4.Of, r.Explained, failed, processed, explained)
		}
		for _, f := range r.Findings {
			if f.Code != conformance.SchemaMismatch {
				t.Errorf("found %s: %s", f.Code, f.Text)
			}
		}
		if len(r.Findings) != len(forbidden) {
			t.Errorf("%d findings, want one for each of %v", len(r.Findings), forbidden)
		}
	})
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestM7EqualsACountOfTheTruth(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		type act struct {
			subject, second int
			outcome         string
		}
		truth := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) act {
			return act{rapid.IntRange(0, 3).Draw(t, "subject"), rapid.IntRange(0, 7200).Draw(t, "second"), rapid.SampledFrom([]string{"asked", "none", "settled", "waiting", "gave_up"}).Draw(t, "outcome")}
		}), 0, 60).Draw(t, "truth")
		var events []*telemetry.Log
		for n, a := range truth {
			events = append(events, &telemetry.Log{
				Time: began.Add(time.Duration(a.second) * time.Second), EventName: attr.EventPhaseReconcile,
				Attributes: attributes(attr.PhaseContract, "drain@1", attr.PhaseSubject, "shop/pod-"+strconv.Itoa(a.subject), attr.PhaseOutcome, a.outcome, attr.PhaseAttempt, strconv.Itoa(n)),
			})
		}
		events = append(events, events[:rapid.IntRange(0, len(events)).Draw(t, "twice")]...)
		m := monitor(c)
		for _, l := range rapid.Permutation(events).Draw(t, "arrival") {
			m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{l}})
		}
		now := began.Add(time.Duration(rapid.IntRange(0, 8000).Draw(t, "now")) * time.Second)
		most, by := 0, make(map[int]int)
		for _, a := range truth {
			at := began.Add(time.Duration(a.second) * time.Second)
			if a.outcome == "asked" && at.After(now.Add(-time.Hour)) && !at.After(now) {
				by[a.subject]++
				most = max(most, by[a.subject])
			}
		}
		got := 0
		for _, i := range m.Report(time.Hour, now).Indicators {
			got = max(got, i.M7)
		}
		if got != most {
			t.Errorf("M7 %d, want %d", got, most)
		}
	})
}

func TestM8EqualsACountOfTheTruth(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		type page struct {
			start, ack int // hours since the beginning
			decided    string
			alert      string
		}
		truth := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) page {
			start := rapid.IntRange(0, 60*24).Draw(t, "start")
			return page{
				start, start + rapid.IntRange(0, 3).Draw(t, "took"), rapid.SampledFrom([]string{"", "", "true", "false"}).Draw(t, "decided"),
				rapid.SampledFrom([]string{"HighErrorRate", "HighErrorRate", "EddyPhaseBurn"}).Draw(t, "alert"),
			}
		}), 0, 12).Draw(t, "truth")
		flapAt := rapid.SliceOfNDistinct(rapid.IntRange(0, 60*24), 0, 5, rapid.ID[int]).Draw(t, "flaps")
		slices.Sort(flapAt)
		for i := range flapAt {
			flapAt[i] += 3 * i // one is over when the next begins
		}
		m := monitor(c)
		last := 0
		for n, hour := range flapAt {
			// It is found at half past, since the last flip, and looked at twice.
			for e := range 8 {
				m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{event(attr.EventPhaseAnnounced, time.Duration(hour)*time.Hour+time.Duration(e)*time.Second, n*8+e+1,
					attr.PhaseFrom, []string{"ACTIVE", "DRAIN"}[e%2], attr.PhaseTo, []string{"DRAIN", "ACTIVE"}[e%2])}})
			}
			last = hour
			m.Findings(began.Add(time.Duration(hour)*time.Hour + 8*time.Second))
			m.Findings(began.Add(time.Duration(hour)*time.Hour + 30*time.Minute))
		}
		for n, p := range truth {
			id := strconv.Itoa(n)
			start, ack := began.Add(time.Duration(p.start)*time.Hour), began.Add(time.Duration(p.ack)*time.Hour)
			m.Paged(conformance.Page{Incident: id, Alert: p.alert, Start: start})
			m.Paged(conformance.Page{Incident: id, Start: start, Ack: ack})
			if p.decided != "" {
				m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{{Time: start, EventName: attr.EventPhasePaged, Attributes: attributes(attr.IncidentID, id, attr.AlertName, p.alert, attr.PhaseFlip, p.decided)}}})
			}
		}
		now := began.Add(time.Duration(last)*time.Hour + 40*24*time.Hour)
		now = later(now.Add(-time.Duration(rapid.IntRange(0, 39*24).Draw(t, "ago"))*time.Hour), began.Add(time.Duration(last)*time.Hour+time.Hour))
		trailing, month := 0, 0
		for _, p := range truth {
			start, ack := began.Add(time.Duration(p.start)*time.Hour), began.Add(time.Duration(p.ack)*time.Hour)
			flip := p.alert == "EddyPhaseBurn" || slices.ContainsFunc(flapAt, func(hour int) bool {
				since, until := began.Add(time.Duration(hour)*time.Hour+3*time.Second), began.Add(time.Duration(hour)*time.Hour+30*time.Minute)
				return !until.Before(start.Add(-15*time.Minute)) && !since.After(ack)
			})
			if p.decided != "" {
				flip = p.decided == "true"
			}
			if !flip || start.After(now) {
				continue
			}
			if start.After(now.Add(-30 * 24 * time.Hour)) {
				trailing++
			}
			if start.Year() == now.Year() && start.Month() == now.Month() {
				month++
			}
		}
		if got := m.Report(time.Minute, now).M8; got.Trailing != trailing || got.Month != month {
			t.Errorf("M8 %+v, want %d in 30 days and %d in the month", got, trailing, month)
		}
	})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// visit is one truth: a request to a pod, with what its server said.
type visit struct {
	second, pod int
	failed      bool
	verdict     contract.Verdict // "" if no span says any
	status      string
}

func (v visit) at() time.Time { return began.Add(time.Duration(v.second) * time.Second) }

func (v visit) request(n int) request.Request {
	list := []telemetry.Attribute{{Key: attr.PhaseContract, Value: "drain@1"}, {Key: attr.PhaseSubject, Value: fmt.Sprintf("shop/pod-%d", v.pod)}, {Key: attr.HTTPResponseStatusCode, Value: v.status}}
	if v.verdict != "" {
		actual, since := "ACTIVE", 0
		if v.verdict == contract.VerdictRefused {
			actual = "SHUTDOWN"
		}
		if v.verdict == contract.VerdictMismatch {
			actual, since = "DRAIN", 5000
		}
		list = append(list, telemetry.Attribute{Key: attr.PhaseVerdict, Value: string(v.verdict)}, telemetry.Attribute{Key: attr.PhaseActual, Value: actual},
			telemetry.Attribute{Key: attr.PhaseActualEpoch, Value: "2"}, telemetry.Attribute{Key: attr.PhaseActualSince, Value: strconv.Itoa(since)},
			telemetry.Attribute{Key: attr.PhaseRole, Value: "router"}, telemetry.Attribute{Key: attr.PhaseAction, Value: "new_request"}, telemetry.Attribute{Key: attr.PhaseBelieved, Value: "ACTIVE"})
	}
	s := &telemetry.Span{
		Trace: telemetry.TraceID{2, byte(n >> 8), byte(n)}, ID: telemetry.SpanID{byte(n >> 8), byte(n), 1}, Kind: telemetry.KindServer, Start: v.at(), End: v.at(),
		Resource: &telemetry.Resource{Service: "shop"}, Attributes: telemetry.NewAttributes(list),
	}
	r := request.Request{ID: request.ID{Trace: s.Trace, Span: s.ID}, Start: s.Start, Spans: []*telemetry.Span{s}}
	if v.failed {
		r.Outcome = request.Failed
	}
	return r
}

func TestM9EqualsACountOfTheTruth(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		truth := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) visit {
			return visit{
				rapid.IntRange(0, 3*3600).Draw(t, "second"), rapid.IntRange(0, 1).Draw(t, "pod"), rapid.Bool().Draw(t, "failed"),
				rapid.SampledFrom([]contract.Verdict{"", contract.VerdictOK, contract.VerdictMismatch, contract.VerdictRefused}).Draw(t, "verdict"),
				rapid.SampledFrom([]string{"200", "500", "503"}).Draw(t, "status"),
			}
		}), 1, 60).Draw(t, "truth")
		// In the order of time, as a server meets them, with looks in between.
		slices.SortFunc(truth, func(a, b visit) int { return a.second - b.second })
		m := conformance.New(conformance.Config{Objective: 0.99})
		m.Use(c)
		for n, v := range truth {
			m.Findings(v.at()) // a server looks every few seconds
			m.Requests(v.at(), []request.Request{v.request(n)})
		}
		now := began.Add(3*time.Hour + time.Second)
		b := m.Report(time.Minute, now).M9
		var flipped, joined, failed float64
		for _, v := range truth {
			if !v.failed {
				continue
			}
			failed++
			if v.verdict == contract.VerdictMismatch || v.verdict == contract.VerdictRefused {
				flipped++
			} else if v.status == "503" && inMismatch(truth, v) {
				joined++
			}
		}
		may := 0.01 * float64(len(truth))
		if b.Requests != float64(len(truth)) || b.Failed != failed || b.Flipped != flipped || b.Joined != joined ||
			math.Abs(b.Low-flipped/may) > 1e-9 || math.Abs(b.High-(flipped+joined)/may) > 1e-9 {
			t.Errorf("M9 %+v, want %v flipped and %v joined of %v failed", b, flipped, joined, failed)
		}
	})
}

// inMismatch reports whether a visit lies between the first interaction that did not
// fit and the bound after the last, of its pod. All are of one epoch. What came more
// than an hour after it is not known when it is decided about.
func inMismatch(truth []visit, v visit) bool {
	first, last := math.MaxInt, math.MinInt
	for _, o := range truth {
		if o.pod == v.pod && (o.verdict == contract.VerdictMismatch || o.verdict == contract.VerdictRefused) && o.second <= v.second+3600 {
			first, last = min(first, o.second), max(last, o.second)
		}
	}
	return v.second >= first && v.second < last+2
}

// told is a run of interactions, from a world, as one who hears of it would.
func told(seed uint64, c *contract.Contract, shift time.Duration, sampled bool) *world {
	w := newWorld(seed, c)
	w.shift, w.sampled = shift, sampled
	pods := w.rollout()
	pods[0].learns[0][1], pods[0].learns[0][2] = -1, -1
	for k := range 40 {
		w.job(k%30, fmt.Sprintf("cron-%d", k/30), time.Duration(k)*time.Second)
	}
	w.until = w.play(pods)
	return w
}

func TestSamplingOfSpansAndAShiftOfAllClocksChangeNoIndicator(t *testing.T) {
	c := drain(t)
	for seed := range uint64(5) {
		plain, shifted, sampled := told(seed, c, 0, false), told(seed, c, 1000*time.Hour, false), told(seed, c, 0, true)
		want := plain.m.Report(time.Hour, plain.until)
		for name, got := range map[string]conformance.Report{
			"shifted": shifted.m.Report(time.Hour, shifted.until.Add(1000*time.Hour)), "sampled": sampled.m.Report(time.Hour, sampled.until),
		} {
			for i := range got.Indicators {
				got.Indicators[i].Window = want.Indicators[i].Window
				if !reflect.DeepEqual(got.Indicators[i], want.Indicators[i]) {
					t.Errorf("seed %d, %s: %+v, want %+v", seed, name, got.Indicators[i], want.Indicators[i])
				}
			}
			if got.M3.Part != want.M3.Part || got.M3.Of != want.M3.Of || want.M3.Part != 10 {
				t.Errorf("seed %d, %s: M3 %+v, want %+v with 10", seed, name, got.M3, want.M3)
			}
		}
	}
}

func TestTwoWindowsAddUpToOne(t *testing.T) {
	w := told(3, drain(t), 0, false)
	middle := w.until.Add(-20 * time.Minute).Truncate(10 * time.Second)
	before, after, whole := w.m.Report(40*time.Minute, middle), w.m.Report(w.until.Sub(middle), w.until), w.m.Report(w.until.Sub(middle.Add(-40*time.Minute)), w.until)
	sum := func(pick func(conformance.Indicators) float64, reports ...conformance.Report) (n float64) {
		for _, r := range reports {
			for _, i := range r.Indicators {
				n += pick(i)
			}
		}
		return n
	}
	for name, pick := range map[string]func(conformance.Indicators) float64{
		"M1": func(i conformance.Indicators) float64 { return i.M1.Part }, "M1 of": func(i conformance.Indicators) float64 { return i.M1.Of },
		"M2": func(i conformance.Indicators) float64 { return i.M2.Part }, "M2 of": func(i conformance.Indicators) float64 { return i.M2.Of },
	} {
		if parts, all := sum(pick, before, after), sum(pick, whole); parts != all || all == 0 {
			t.Errorf("%s: %v in two windows, %v in one", name, parts, all)
		}
	}
}

func TestBudgetPagesAndJobsOutliveTheProcess(t *testing.T) {
	c := drain(t)
	w := told(1, c, 0, false)
	w.m.Paged(conformance.Page{Incident: "1", Start: w.until})
	before := w.m.Report(time.Hour, w.until)
	if before.M8.Trailing != 1 || before.M9.Flipped == 0 || before.M3.Part == 0 {
		t.Fatalf("M8 %+v, M9 %+v, M3 %+v: want something of each", before.M8, before.M9, before.M3)
	}
	var file bytes.Buffer
	if err := w.m.Save(&file); err != nil {
		t.Fatal(err)
	}
	saved := file.String()
	m := conformance.New(conformance.Config{})
	if err := m.Load(&file); err != nil {
		t.Fatal(err)
	}
	m.Add(w.until, telemetry.Batch{})
	after := m.Report(time.Hour, w.until)
	for name, same := range map[string]bool{
		"M8": after.M8 == before.M8, "M3": after.M3 == before.M3 && after.Again == before.Again,
		"M9": after.M9.Requests == before.M9.Requests && after.M9.Failed == before.M9.Failed && after.M9.Low == before.M9.Low && after.M9.High == before.M9.High && after.M9.Since.Equal(before.M9.Since),
	} {
		if !same {
			t.Errorf("%s has changed: M3 %+v, M8 %+v, M9 %+v, and before %+v, %+v, %+v", name, after.M3, after.M8, after.M9, before.M3, before.M8, before.M9)
		}
	}
	file.Reset()
	if err := m.Save(&file); err != nil || len(file.String()) != len(saved) {
		t.Errorf("saved again it is %d bytes, %v, want the same %d", file.Len(), err, len(saved))
	}
	for _, text := range []string{"", "{", `{"version":9}`} {
		if err := conformance.New(conformance.Config{}).Load(strings.NewReader(text)); err == nil {
			t.Errorf("Load(%q) is no error", text)
		}
	}
}
