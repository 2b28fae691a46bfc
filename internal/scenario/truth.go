package scenario

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/sim"
)

// TruthVersion is the only version of the format of truth files so far.
const TruthVersion = "eddy.truth/v1"

//go:embed truth.schema.json
var truthSchema []byte

// TruthSchema is the JSON schema (draft 2020-12) of one line of a truth file.
func TruthSchema() []byte { return slices.Clone(truthSchema) }

const (
	// harmedFrom is the share of what ended at one place in an interval that must
	// have ended badly for harm to be there.
	harmedFrom = 0.05
	// parted is how many intervals without harm part two stretches of it.
	parted = 5
)

// WriteTruth carries out one run and, beside it, the same run without each of its
// conditions, and writes what is true of it, one JSON object a line: the run, when
// conditions were in force, when harm began and ended where, which conditions are
// to blame for which request, and how much each cost. Nothing of it is in the
// telemetry that Record writes; the two share the ids of traces. The epoch is
// that of Record.
func (s *Scenario) WriteTruth(ctx context.Context, seed uint64, on map[string]bool, w io.Writer) error {
	run, err := s.start(seed, on, nil)
	if err != nil {
		return err
	}
	shows := s.shows(run)
	paired, err := sim.Pair(ctx, &s.Model, seed, sim.Settings{On: s.Settings(on), Interval: s.interval()})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	t := truthWriter{s: s, paired: paired, epoch: sim.DefaultEpoch(), lines: json.NewEncoder(out)}
	t.run(seed, on)
	t.conditions(shows)
	t.onsets()
	t.blames()
	t.totals()
	if t.err != nil {
		return fmt.Errorf("write truth: %w", t.err)
	}
	return out.Flush()
}

// A truthWriter writes the lines. The first error stops it.
type truthWriter struct {
	s      *Scenario
	paired sim.Paired
	epoch  time.Time
	lines  *json.Encoder
	err    error
}

func (t *truthWriter) line(v any) {
	if t.err == nil {
		t.err = t.lines.Encode(v)
	}
}

// at is a virtual time on the clock of telemetry.
func (t *truthWriter) at(d time.Duration) time.Time { return t.epoch.Add(d) }

type truthRun struct {
	Type     string          `json:"type"` // "run"
	Version  string          `json:"version"`
	Scenario string          `json:"scenario"`
	Seed     uint64          `json:"seed"`
	Begin    time.Time       `json:"begin"`
	Warm     time.Time       `json:"warm"` // the end of the warm-up
	End      time.Time       `json:"end"`
	On       map[string]bool `json:"on"`
	Truth
}

func (t *truthWriter) run(seed uint64, on map[string]bool) {
	truth := t.s.Truth
	if truth.Sets == nil {
		truth.Sets = [][]string{}
	}
	t.line(truthRun{
		Type: "run", Version: TruthVersion, Scenario: t.s.Model.Name, Seed: seed, Begin: t.epoch, Warm: t.at(t.s.Model.Warmup),
		End: t.at(t.paired.With.End), On: t.s.Settings(on), Truth: truth,
	})
}

type truthCondition struct {
	Type string            `json:"type"` // "condition"
	ID   string            `json:"id"`
	Kind sim.ConditionKind `json:"kind"`
	From time.Time         `json:"from"`
	To   time.Time         `json:"to"`
	// Shows is its entity and dimension in telemetry, empty if it does not show.
	Shows string `json:"shows"`
	// Visibility is how the change event that tells of it comes.
	Visibility string `json:"visibility"`
	// Role is "trigger" or "sustaining", if the author says so.
	Role string `json:"role,omitempty"`
}

func (t *truthWriter) conditions(shows map[string]string) {
	for _, g := range t.paired.With.Toggles {
		c := t.s.condition(g.ID)
		role := ""
		switch {
		case g.ID == t.s.Truth.Trigger:
			role = "trigger"
		case slices.Contains(t.s.Truth.Sustaining, g.ID):
			role = "sustaining"
		}
		visibility := cmp.Or(string(c.Visibility), string(sim.VisibleFull))
		if shows[g.ID] == "" {
			visibility = string(sim.VisibleNone)
		}
		t.line(truthCondition{"condition", g.ID, c.Kind, t.at(g.From), t.at(g.To), shows[g.ID], visibility, role})
	}
}

type truthOnset struct {
	Type string `json:"type"` // "onset"
	// Service is where; "users" is what all users saw.
	Service string    `json:"service"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Bad of N ended badly meanwhile.
	Bad int `json:"bad"`
	N   int `json:"n"`
}

// onsets writes each stretch of harm: of intervals in which at least harmedFrom
// of what ended did so badly, with fewer than parted others between two.
func (t *truthWriter) onsets() {
	r := t.paired.With
	users := func(i int) (bad, n int) {
		u := r.Users[i]
		return u.Failed + u.Slow, u.Failed + u.Slow + u.Good
	}
	t.stretches("users", len(r.Users), users)
	for _, v := range r.Services {
		t.stretches(v.ID, len(v.Intervals), func(i int) (bad, n int) {
			c := v.Intervals[i].StationCount
			unworked := c.Refused + c.Expired
			return unworked + min(c.Errors+c.Wasted, c.Done), unworked + c.Done // one may be both
		})
	}
}

func (t *truthWriter) stretches(service string, intervals int, ended func(int) (bad, n int)) {
	r := t.paired.With
	var open *truthOnset
	calm := 0
	for i := range intervals {
		bad, n := ended(i)
		begin := time.Duration(i) * r.Interval
		if n == 0 || float64(bad) < harmedFrom*float64(n) || begin < r.Warmup {
			if calm++; open != nil && calm >= parted {
				t.line(*open)
				open = nil
			}
			continue
		}
		if open == nil {
			open = &truthOnset{Type: "onset", Service: service, From: t.at(begin)}
		}
		calm = 0
		open.To = t.at(min(begin+r.Interval, r.End))
		open.Bad, open.N = open.Bad+bad, open.N+n
	}
	if open != nil {
		t.line(*open)
	}
}

type truthBlame struct {
	Type     string    `json:"type"` // "blame"
	Trace    string    `json:"trace"`
	Workload string    `json:"workload"`
	Number   uint64    `json:"number"`
	Start    time.Time `json:"start"`
	Outcome  string    `json:"outcome"` // "ok", "slow" or "failed"
	// Conditions are those without any one of which it would have ended otherwise;
	// with Together, without all of which.
	Conditions []string `json:"conditions"`
	Together   bool     `json:"together,omitempty"`
}

func (t *truthWriter) blames() {
	for _, b := range t.paired.Blames {
		t.line(truthBlame{
			"blame", hex.EncodeToString(b.Trace[:]), t.s.Model.Workloads[b.Workload].ID, b.Number,
			t.at(b.Start.Duration()), outcomeOf(b.Ended), b.Conditions, b.Together,
		})
	}
}

func outcomeOf(e sim.Ended) string {
	switch {
	case !e.OK:
		return "failed"
	case e.Slow:
		return "slow"
	}
	return "ok"
}

type truthTotals struct {
	Type string `json:"type"` // "totals"
	// Requests are those that ended after the warm-up.
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	Slow     int `json:"slow"`
	// UserMinutesLost is a minute for each that failed or was slow.
	UserMinutesLost float64        `json:"user_minutes_lost"`
	Harms           map[string]int `json:"harms,omitempty"` // silent ones, by name
	// Calm is what the same run without all of its conditions, load apart, lost.
	Calm float64 `json:"user_minutes_lost_without_conditions"`
	// Conditions are what each that was on did.
	Conditions []truthCost `json:"conditions"`
}

// A truthCost is what one condition did.
type truthCost struct {
	ID string `json:"id"`
	// UserMinutesLost is what the run lost less what it lost without the condition:
	// negative for a defence. Those of several do not add up where they meet.
	UserMinutesLost float64 `json:"user_minutes_lost"`
	// Blamed requests would have ended otherwise without it; of those,
	// AfterTrigger began after the trigger was last in force. If there are such
	// for a condition that is no trigger, it sustains the harm.
	Blamed       int `json:"blamed"`
	AfterTrigger int `json:"after_trigger"`
}

func (t *truthWriter) totals() {
	r := t.paired.With
	u := r.Total(r.Warmup, r.End)
	out := truthTotals{
		Type: "totals", Requests: u.Good + u.Slow + u.Failed, Failed: u.Failed, Slow: u.Slow, UserMinutesLost: minutesLost(t.s, r),
		Harms: r.Harms, Calm: minutesLost(t.s, t.paired.Calm), Conditions: []truthCost{},
	}
	over := r.End // when the trigger was last in force
	for _, g := range r.Toggles {
		if g.ID == t.s.Truth.Trigger {
			over = g.To
		}
	}
	for _, id := range slices.Sorted(maps.Keys(t.paired.Without)) {
		cost := truthCost{ID: id, UserMinutesLost: out.UserMinutesLost - minutesLost(t.s, t.paired.Without[id])}
		for _, b := range t.paired.Blames {
			if b.Together || !slices.Contains(b.Conditions, id) {
				continue
			}
			cost.Blamed++
			if b.Start.Duration() >= over {
				cost.AfterTrigger++
			}
		}
		out.Conditions = append(out.Conditions, cost)
	}
	t.line(out)
}
