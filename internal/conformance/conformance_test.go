package conformance_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

var began = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// A fataler is a test, or a property of one.
type fataler interface {
	Helper()
	Fatal(...any)
}

// drain is a contract with a phase that gives grace for two seconds.
func drain(t fataler) *contract.Contract {
	t.Helper()
	return parse(t, "testdata/drain.yaml")
}

// parse reads the contract of a file.
func parse(t fataler, path string) *contract.Contract {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := contract.Parse(filepath.Base(path), text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func monitor(c *contract.Contract) *conformance.Monitor {
	m := conformance.New(conformance.Config{})
	m.Use(c)
	m.Add(began.Add(-time.Hour), telemetry.Batch{}) // it is no newcomer
	return m
}

func attributes(pairs ...string) telemetry.Attributes {
	var list []telemetry.Attribute
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, telemetry.Attribute{Key: pairs[i], Value: pairs[i+1]})
	}
	return telemetry.NewAttributes(list)
}

// interaction is one truth: what was counted by which emitter until when.
type interaction struct {
	emitter                        int
	role, action, actual, believed string
	late                           bool
	verdict                        contract.Verdict
	at                             time.Duration
}

func (i interaction) attributes() telemetry.Attributes {
	return attributes(attr.PhaseContract, "drain@1", attr.PhaseRole, i.role, attr.PhaseAction, i.action, attr.PhaseActual, i.actual,
		attr.PhaseBelieved, i.believed, attr.PhaseLate, strconv.FormatBool(i.late), attr.PhaseVerdict, string(i.verdict))
}

// truths draws interactions with the verdict that the contract gives them.
func truths(t *rapid.T, c *contract.Contract) []interaction {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) interaction {
		i := interaction{
			emitter: rapid.IntRange(0, 2).Draw(t, "emitter"),
			role:    rapid.SampledFrom([]string{"router", "unknown"}).Draw(t, "role"),
			action:  rapid.SampledFrom([]string{"new_request", "continue"}).Draw(t, "action"),
			actual:  rapid.SampledFrom([]string{"ACTIVE", "DRAIN", "SHUTDOWN"}).Draw(t, "actual"),
			at:      time.Duration(rapid.IntRange(0, 59).Draw(t, "minute")) * time.Minute,
		}
		i.believed, i.verdict = "?", contract.VerdictUnannotated
		if i.role == "unknown" {
			return i
		}
		i.believed = rapid.SampledFrom([]string{"?", "ACTIVE", "DRAIN", "SHUTDOWN"}).Draw(t, "believed")
		judge := func(since time.Duration) contract.Verdict {
			return c.Judge(contract.Interaction{Role: i.role, Action: i.action, Actual: contract.PhaseName(i.actual), Since: since, Believed: contract.PhaseName(i.believed), Known: i.believed != "?"})
		}
		since := time.Duration(rapid.IntRange(0, 5).Draw(t, "since")) * time.Second
		i.verdict = judge(since)
		i.late = i.verdict != judge(0)
		return i
	}), 1, 200).Draw(t, "interactions")
}

// points exports the interactions as cumulative sums, every minute, by emitters
// that are sometimes started anew; some points are sent twice.
func points(t *rapid.T, list []interaction) []*telemetry.Point {
	slices.SortStableFunc(list, func(a, b interaction) int { return cmp.Compare(a.at, b.at) })
	type key struct {
		emitter int
		labels  string
	}
	sums := make(map[key]float64)
	var out []*telemetry.Point
	for n, i := range list {
		k := key{i.emitter, fmt.Sprint(i.attributes())}
		// A process that is started anew counts from nothing. It is told from one
		// that goes on only if its count is smaller, so that is when it happens here.
		if sums[k] > 1 && rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
			sums[k] = 0
		}
		sums[k]++
		p := &telemetry.Point{
			Time: began.Add(i.at + time.Duration(n)*time.Millisecond), Name: attr.MetricPhaseInteractions, Value: sums[k], Cumulative: true, Attributes: i.attributes(),
			Resource: &telemetry.Resource{Service: "cart", Instance: strconv.Itoa(i.emitter)},
		}
		out = append(out, p)
		if rapid.IntRange(0, 4).Draw(t, "twice") == 0 {
			out = append(out, p)
		}
	}
	return out
}

func TestM1AndM2EqualACountOfTheTruth(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		list := truths(t, c)
		m := monitor(c)
		for _, p := range points(t, list) {
			m.Add(began, telemetry.Batch{Points: []*telemetry.Point{p}})
		}
		length := time.Duration(rapid.IntRange(1, 60).Draw(t, "window")) * time.Minute
		now := began.Add(time.Hour)
		got := m.Report(length, now).Indicators
		var all, annotated, mismatched, tolerated, news, bad, failed float64
		for _, i := range list {
			if began.Add(i.at).Before(now.Add(-length)) {
				continue
			}
			all++
			if i.verdict != contract.VerdictUnannotated {
				annotated++
			}
			if i.verdict == contract.VerdictMismatch || i.verdict == contract.VerdictRefused {
				mismatched++
			}
			if i.verdict == contract.VerdictTolerated {
				tolerated++
			}
			if i.action != "new_request" {
				continue
			}
			news++
			if i.actual != "ACTIVE" {
				bad++
				if i.actual == "SHUTDOWN" || i.late {
					failed++
				}
			}
		}
		if len(got) != 1 {
			t.Fatalf("%d contracts, want one", len(got))
		}
		g := got[0]
		if g.M1.Part != mismatched || g.M1.Of != annotated || g.Tolerated.Part != tolerated || g.Disagree != 0 {
			t.Errorf("M1 %v of %v, %v tolerated, %v disagree, want %v of %v, %v", g.M1.Part, g.M1.Of, g.Tolerated.Part, g.Disagree, mismatched, annotated, tolerated)
		}
		if known := annotated > 0 && annotated/all >= 0.5; g.M1.Known != known {
			t.Errorf("M1 known %v with %v of %v annotated", g.M1.Known, annotated, all)
		}
		if g.M2.Part != bad || g.M2.Of != news || g.Failed != failed {
			t.Errorf("M2 %v of %v, %v failed, want %v of %v, %v", g.M2.Part, g.M2.Of, g.Failed, bad, news, failed)
		}
	})
}

// An announcement with its acknowledgements, as one truth.
type announcement struct {
	subject  string
	epoch    int
	from, to string
	at       time.Duration
	delays   []int // milliseconds of each registered consumer; below 0 for never
}

func announcements(t *rapid.T) []announcement {
	names := []string{"INIT", "ACTIVE", "DRAIN"}
	var list []announcement
	for s := range rapid.IntRange(1, 3).Draw(t, "subjects") {
		at, phase := time.Duration(0), 0
		for e := 1; e <= rapid.IntRange(1, 12).Draw(t, "epochs"); e++ {
			at += time.Duration(rapid.IntRange(1, 600).Draw(t, "after")) * time.Second
			next := (phase + rapid.IntRange(1, 2).Draw(t, "step")) % 3
			list = append(list, announcement{
				subject: fmt.Sprintf("shop-%d/pod", s), epoch: e, from: names[phase], to: names[next], at: at,
				delays: rapid.SliceOfN(rapid.IntRange(-300, 3000), 1, 5).Draw(t, "delays"),
			})
			phase = next
		}
	}
	return list
}

func (a announcement) events() []*telemetry.Log {
	common := []string{attr.PhaseContract, "drain@1", attr.PhaseSubject, a.subject, attr.PhaseEpoch, strconv.Itoa(a.epoch)}
	list := []*telemetry.Log{{
		Time: began.Add(a.at), EventName: attr.EventPhaseAnnounced,
		Attributes: attributes(append(common, attr.PhaseFrom, a.from, attr.PhaseTo, a.to, attr.PhaseRegistered, strconv.Itoa(len(a.delays)))...),
	}}
	for i, ms := range a.delays {
		if ms >= 0 {
			list = append(list, &telemetry.Log{
				Time: began.Add(a.at + time.Duration(ms)*time.Millisecond), EventName: attr.EventPhaseAcked,
				Attributes: attributes(append(common, attr.PhaseRole, "router", attr.ConsumerID, strconv.Itoa(i))...),
			})
		}
	}
	return list
}

func TestM5AndM6EqualTheirFormulasInWhateverOrderEventsArrive(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		truth := announcements(t)
		var events []*telemetry.Log
		for _, a := range truth {
			events = append(events, a.events()...)
		}
		events = append(events, events[:rapid.IntRange(0, len(events)).Draw(t, "twice")]...)
		m := monitor(c)
		for _, l := range rapid.Permutation(events).Draw(t, "arrival") {
			m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{l}})
		}
		now := began.Add(3 * time.Hour)
		got := m.Report(time.Hour, now).Indicators
		if len(got) != 1 {
			t.Fatalf("%d contracts, want one", len(got))
		}
		if m5, n := medianOfMedians(truth, now); got[0].M5.N != n || n > 0 && got[0].M5.Beyond != math.IsInf(m5, 1) || n > 0 && !got[0].M5.Beyond && math.Abs(got[0].M5.Seconds-m5) > 1e-9 {
			t.Errorf("M5 %+v, want %v over %d", got[0].M5, m5, n)
		}
		if flips := mostFlips(truth, now); got[0].M6 != flips {
			t.Errorf("M6 %d, want %d", got[0].M6, flips)
		}
	})
}

func medianOfMedians(truth []announcement, now time.Time) (float64, int) {
	var medians []float64
	for _, a := range truth {
		if began.Add(a.at).Before(now.Add(-time.Hour)) {
			continue
		}
		var x []float64
		for _, ms := range a.delays {
			if ms < 0 {
				x = append(x, math.Inf(1))
			} else {
				x = append(x, float64(ms)/1000)
			}
		}
		medians = append(medians, middle(x))
	}
	if len(medians) == 0 {
		return 0, 0
	}
	return middle(medians), len(medians)
}

func middle(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

func mostFlips(truth []announcement, now time.Time) int {
	bySubject := make(map[string]int)
	most := 0
	for _, a := range truth {
		at := began.Add(a.at)
		if at.After(now) || !at.After(now.Add(-time.Hour)) {
			continue
		}
		for _, b := range truth {
			if a.subject == b.subject && a.from == b.to && a.to == b.from && b.at < a.at && a.at-b.at <= time.Hour {
				bySubject[a.subject]++
				break
			}
		}
		most = max(most, bySubject[a.subject])
	}
	return most
}

func TestM3CountsJobsThatWereDoneTwice(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		type attempt struct{ job, worker, number int }
		attempts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) attempt {
			return attempt{rapid.IntRange(0, 5).Draw(t, "job"), rapid.IntRange(0, 2).Draw(t, "worker"), rapid.IntRange(1, 2).Draw(t, "number")}
		}), 1, 20).Draw(t, "attempts")
		m := monitor(c)
		done := make(map[int]map[attempt]bool)
		for _, a := range attempts {
			outcome := rapid.SampledFrom([]string{attr.JobCommitted, attr.JobRejected, attr.JobFailed}).Draw(t, "outcome")
			m.Add(began, telemetry.Batch{Spans: []*telemetry.Span{{
				End: began, Resource: &telemetry.Resource{Service: "worker", Instance: strconv.Itoa(a.worker)},
				Attributes: attributes(attr.JobID, strconv.Itoa(a.job), attr.JobAttempt, strconv.Itoa(a.number), attr.JobOutcome, outcome),
			}}})
			if outcome == attr.JobCommitted {
				if done[a.job] == nil {
					done[a.job] = make(map[attempt]bool)
				}
				done[a.job][a] = true
			}
		}
		twice := 0.0
		for _, by := range done {
			if len(by) >= 2 {
				twice++
			}
		}
		if got := m.Report(time.Hour, began.Add(time.Minute)).M3; got.Part != twice || got.Of != float64(len(done)) {
			t.Errorf("M3 %+v, want %v of %d", got, twice, len(done))
		}
	})
}

// found are the codes of the findings.
func found(m *conformance.Monitor, now time.Time) string {
	var codes []string
	for _, f := range m.Report(time.Hour, now).Findings {
		code := string(f.Code)
		if f.Severity == conformance.Low {
			code += " low"
		}
		codes = append(codes, code)
	}
	return strings.Join(codes, " ")
}

func event(name string, at time.Duration, epoch int, more ...string) *telemetry.Log {
	return &telemetry.Log{
		Time: began.Add(at), EventName: name,
		Attributes: attributes(append([]string{attr.PhaseContract, "drain@1", attr.PhaseSubject, "shop/pod-7", attr.PhaseEpoch, strconv.Itoa(epoch)}, more...)...),
	}
}

func write(token int, at time.Duration, verdict string) *telemetry.Span {
	return &telemetry.Span{End: began.Add(at), Attributes: attributes(attr.FenceSubject, "shop/cron", attr.FenceToken, strconv.Itoa(token), attr.FenceVerdict, verdict)}
}

func TestEachFailureIsFoundUnderItsNameAndHealthIsNot(t *testing.T) {
	c := drain(t)
	interactions := func(actual string, late bool, n float64) telemetry.Batch {
		i := interaction{role: "router", action: "new_request", actual: actual, believed: "ACTIVE", late: late}
		return telemetry.Batch{Points: []*telemetry.Point{{Time: began, Name: attr.MetricPhaseInteractions, Value: n, Attributes: i.attributes()}}}
	}
	announced := func(at time.Duration, epoch int, from, to string) *telemetry.Log {
		return event(attr.EventPhaseAnnounced, at, epoch, attr.PhaseFrom, from, attr.PhaseTo, to)
	}
	flapping := telemetry.Batch{}
	for e := range 8 {
		flapping.Logs = append(flapping.Logs, announced(time.Duration(e)*time.Minute, e+1, []string{"ACTIVE", "DRAIN"}[e%2], []string{"DRAIN", "ACTIVE"}[e%2]))
	}
	observed := func(at time.Duration, epoch int) *telemetry.Log {
		return event(attr.EventPhaseObserved, at, epoch, attr.ConsumerID, "gw-3")
	}
	for _, tt := range []struct {
		name, want string
		batch      []telemetry.Batch
	}{
		{"a rollout in which some requests were late and tolerated", "", []telemetry.Batch{
			interactions("ACTIVE", false, 1000), interactions("DRAIN", false, 4),
			{Logs: []*telemetry.Log{
				announced(0, 1, "INIT", "ACTIVE"), event(attr.EventPhaseEnforced, time.Second, 1), observed(time.Second, 1),
				announced(time.Minute, 2, "ACTIVE", "DRAIN"), event(attr.EventPhaseEnforced, time.Minute, 2), observed(time.Minute, 2),
			}},
		}},
		{"an election after which the old leader is refused", "F2 low", []telemetry.Batch{{Spans: []*telemetry.Span{
			write(302, 0, attr.FenceAccepted), write(302, time.Second, attr.FenceAccepted), write(304, 5*time.Second, attr.FenceAccepted),
			write(302, 6*time.Second, attr.FenceStale), write(304, 7*time.Second, attr.FenceAccepted),
		}}}},
		{"requests that meet a server that stops", "F1", []telemetry.Batch{
			interactions("ACTIVE", false, 1000), interactions("DRAIN", true, 3), {Logs: []*telemetry.Log{announced(0, 1, "ACTIVE", "DRAIN")}},
		}},
		{"two requests that meet a server that stops", "", []telemetry.Batch{
			interactions("ACTIVE", false, 1000), interactions("DRAIN", true, 2), {Logs: []*telemetry.Log{announced(0, 1, "ACTIVE", "DRAIN")}},
		}},
		{"requests that meet a server more than a minute after it said so", "", []telemetry.Batch{
			interactions("ACTIVE", false, 1000), interactions("DRAIN", true, 3), {Logs: []*telemetry.Log{announced(-2*time.Minute, 1, "ACTIVE", "DRAIN")}},
		}},
		{"an old leader whose writes are accepted beside the new one's", "F2", []telemetry.Batch{{Spans: []*telemetry.Span{
			write(302, 0, attr.FenceAccepted), write(304, 5*time.Second, attr.FenceAccepted), write(302, 6*time.Second, attr.FenceAccepted),
		}}}},
		{"a subject that goes back and forth", "F4", []telemetry.Batch{flapping}},
		{"a phase in force that nobody announced", "F5", []telemetry.Batch{{Logs: []*telemetry.Log{
			announced(0, 1, "INIT", "ACTIVE"), event(attr.EventPhaseEnforced, time.Second, 1), event(attr.EventPhaseEnforced, time.Minute, 2),
		}}}},
		{"a consumer that never heard of an epoch", "F5", []telemetry.Batch{{Logs: []*telemetry.Log{
			announced(0, 1, "INIT", "ACTIVE"), observed(0, 1), announced(time.Minute, 2, "ACTIVE", "DRAIN"), announced(2*time.Minute, 3, "DRAIN", "SHUTDOWN"), observed(2*time.Minute, 3),
		}}}},
	} {
		m := monitor(c)
		for _, b := range tt.batch {
			m.Add(began, b)
		}
		if got := found(m, began.Add(20*time.Minute)); got != tt.want {
			t.Errorf("%s: found %q, want %q: %+v", tt.name, got, tt.want, m.Report(time.Hour, began.Add(20*time.Minute)).Findings)
		}
	}
}

func TestAnEmitterThatWasThereBeforeIsCountedFromItsFirstPoint(t *testing.T) {
	c := drain(t)
	m := conformance.New(conformance.Config{})
	m.Use(c)
	i := interaction{role: "router", action: "new_request", actual: "ACTIVE", believed: "ACTIVE", verdict: contract.VerdictOK}
	for n, instance := range []string{"old", "old", "new"} {
		m.Add(began, telemetry.Batch{Points: []*telemetry.Point{{
			Time: began.Add(time.Duration(n) * 90 * time.Second), Name: attr.MetricPhaseInteractions, Value: float64(1000 + n), Cumulative: true,
			Attributes: i.attributes(), Resource: &telemetry.Resource{Instance: instance},
		}}})
	}
	if got := m.Report(time.Hour, began.Add(10*time.Minute)).Indicators[0].M1.Of; got != 1+1002 {
		t.Errorf("%v interactions, want the one since the first point of the old one, and all 1002 of the new one", got)
	}
}

func TestTheStartOfACountTellsANewProcessFromOneThatWasThereBefore(t *testing.T) {
	m := conformance.New(conformance.Config{})
	m.Use(drain(t))
	m.Add(began, telemetry.Batch{})
	i := interaction{role: "router", action: "new_request", actual: "ACTIVE", believed: "ACTIVE", verdict: contract.VerdictOK}
	for n, p := range []telemetry.Point{
		{Start: began.Add(-time.Hour), Value: 1000, Resource: &telemetry.Resource{Instance: "old"}},
		{Start: began.Add(-time.Hour), Value: 1001, Resource: &telemetry.Resource{Instance: "old"}},
		{Start: began.Add(time.Second), Value: 20, Resource: &telemetry.Resource{Instance: "new"}},
		{Start: began.Add(10 * time.Second), Value: 300, Resource: &telemetry.Resource{Instance: "new"}}, // started anew, and past where it was
	} {
		p.Time, p.Name, p.Cumulative, p.Attributes = began.Add(time.Duration(n+1)*20*time.Second), attr.MetricPhaseInteractions, true, i.attributes()
		m.Add(p.Time, telemetry.Batch{Points: []*telemetry.Point{&p}})
	}
	if got := m.Report(time.Hour, began.Add(10*time.Minute)).Indicators[0].M1.Of; got != 1+20+300 {
		t.Errorf("%v interactions, want 1 of the old process and 20 and 300 of the new one", got)
	}
}
