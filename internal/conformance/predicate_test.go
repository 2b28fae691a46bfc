package conformance_test

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// finds reports whether there is a finding of a code at the pod of visits.
func finds(r conformance.Report, code conformance.Code) bool {
	return slices.ContainsFunc(r.Findings, func(f conformance.Finding) bool { return f.Code == code && f.Subject == "shop/pod-0" })
}

func TestF1HoldsIfThreeArriveWithinAMinuteOfOneAnnouncement(t *testing.T) {
	c := drain(t)
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfNDistinct(rapid.IntRange(0, 600), 0, 4, rapid.ID[int])
		announced, arrived := seconds.Draw(t, "announced"), rapid.SliceOfN(rapid.IntRange(0, 600), 0, 12).Draw(t, "arrived")
		slices.Sort(announced)
		m := monitor(c)
		for e, second := range announced {
			m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{{Time: began.Add(time.Duration(second) * time.Second), EventName: attr.EventPhaseAnnounced, Attributes: attributes(
				attr.PhaseContract, "drain@1", attr.PhaseSubject, "shop/pod-0", attr.PhaseEpoch, strconv.Itoa(e+1), attr.PhaseFrom, "DRAIN", attr.PhaseTo, "SHUTDOWN",
			)}}})
		}
		for n, second := range arrived {
			m.Requests(began, []request.Request{visit{second: second, verdict: contract.VerdictRefused, status: "503"}.request(n)})
		}
		want := slices.ContainsFunc(announced, func(a int) bool {
			n := 0
			for _, s := range arrived {
				if s >= a && s < a+60 {
					n++
				}
			}
			return n >= 3
		})
		if got := finds(m.Report(time.Hour, began.Add(11*time.Minute)), conformance.DrainMisrouting); got != want {
			t.Errorf("F1 found: %v, want %v", got, want)
		}
	})
}

func TestF5HoldsIfBeliefsAreGoneForLongerThanTheBound(t *testing.T) {
	c := drain(t)
	const until = 60 // seconds
	rapid.Check(t, func(t *rapid.T) {
		type turn struct {
			second int
			ended  bool
		}
		consumers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []turn {
			at := rapid.SliceOfNDistinct(rapid.IntRange(0, until), 1, 6, rapid.ID[int]).Draw(t, "at")
			slices.Sort(at)
			var list []turn
			for i, s := range at {
				list = append(list, turn{s, i > 0 && rapid.Bool().Draw(t, "ended")})
			}
			return list
		}), 1, 4).Draw(t, "consumers")
		m := monitor(c)
		var events []*telemetry.Log
		for n, list := range consumers {
			for e, x := range list {
				name := attr.EventPhaseObserved
				if x.ended {
					name = attr.EventPhaseExpired
				}
				events = append(events, &telemetry.Log{Time: began.Add(time.Duration(x.second) * time.Second), EventName: name, Attributes: attributes(
					attr.PhaseContract, "drain@1", attr.PhaseSubject, "shop/pod-0", attr.PhaseEpoch, strconv.Itoa(e+1), attr.ConsumerID, strconv.Itoa(n),
				)})
			}
		}
		for _, l := range rapid.Permutation(events).Draw(t, "arrival") {
			m.Add(began, telemetry.Batch{Logs: []*telemetry.Log{l}})
		}
		m.Requests(began, []request.Request{visit{second: until, verdict: contract.VerdictOK, status: "200"}.request(1)}) // it is alive
		// Second by second: who had believed by then, and who does not any more.
		want, dark := false, 0
		for s := range until {
			known, lost := 0, 0
			for _, list := range consumers {
				state := -1
				for i, x := range list {
					if x.second <= s {
						state = i
					}
				}
				if state >= 0 {
					known++
				}
				if state >= 0 && list[state].ended {
					lost++
				}
			}
			if dark++; lost*100 <= known {
				dark = 0
			}
			want = want || dark > 2
		}
		r := m.Report(time.Hour, began.Add(until*time.Second))
		got := slices.ContainsFunc(r.Findings, func(f conformance.Finding) bool {
			return f.Code == conformance.MissingAnnouncement && len(f.For) == 2 && f.For[0][:7] == "beliefs"
		})
		if got != want {
			t.Errorf("F5 found: %v, want %v: %+v", got, want, r.Findings)
		}
	})
}

// A file that somebody has changed may be refused, and must not break what follows.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"version":1,"began":"2026-05-04T12:00:00Z","hours":[{"At":1,"Requests":2}],"pages":[{"Incident":"1"}],"failures":[{"Code":"F1","Times":[{}]}],"jobs":{"a":[{"by":"x"}]}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := conformance.New(conformance.Config{})
		if err := m.Load(bytes.NewReader(data)); err != nil {
			return
		}
		m.Report(time.Hour, began)
		if err := m.Save(io.Discard); err != nil {
			t.Errorf("what was loaded cannot be saved: %v", err)
		}
	})
}
