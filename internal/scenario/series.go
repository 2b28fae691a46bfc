package scenario

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"example.test/eddy/internal/sim"
	"example.test/eddy/internal/wording"
)

// A Series is a number in each interval of a run; NaN where it has none.
type Series struct {
	Name   string
	Values []float64
}

// Most is the highest of the numbers, 0 if there are none.
func (s Series) Most() float64 { return highestOf(s.Values) }

func highestOf(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		if v > most {
			most = v
		}
	}
	return most
}

// MarshalJSON writes null where there is no number.
func (s Series) MarshalJSON() ([]byte, error) {
	values := make([]*float64, len(s.Values))
	for i := range s.Values {
		if !math.IsNaN(s.Values[i]) {
			values[i] = &s.Values[i]
		}
	}
	return json.Marshal(map[string]any{"name": s.Name, "values": values})
}

// A Picture is a run as it is drawn, in a terminal or on a page: lanes of
// conditions and series of numbers over one axis of time.
type Picture struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Seed        uint64        `json:"seed"`
	End         time.Duration `json:"end_ns"`
	Interval    time.Duration `json:"interval_ns"`
	Lanes       []Lane        `json:"lanes"`
	Rates       []Series      `json:"rates"`     // a second: offered, good, failed or slow
	Attempts    []Series      `json:"attempts"`  // a call, of the edges that retry
	Queues      []Series      `json:"queues"`    // requests that wait, of the services where most do
	Latency     []Series      `json:"latency"`   // median and 99th percentile, in seconds
	Lost        Series        `json:"lost"`      // requests that failed or were slow, so far
	InFlight    Series        `json:"in_flight"` // requests
	// Good, Slow and Failed count requests after the warm-up.
	Good   int `json:"good"`
	Slow   int `json:"slow"`
	Failed int `json:"failed"`
}

// A Lane is when one condition was in force.
type Lane struct {
	ID    string            `json:"id"`
	Kind  sim.ConditionKind `json:"kind"`
	Spans []Span            `json:"spans"`
}

// A Span is a stretch of the run.
type Span struct {
	From time.Duration `json:"from_ns"`
	To   time.Duration `json:"to_ns"`
}

// mostLines is how many lines of one chart a person can tell apart.
const mostLines = 3

// Draw makes the picture of a run of the scenario.
func (s *Scenario) Draw(r *sim.Result) Picture {
	total := r.Total(r.Warmup, r.End)
	p := Picture{
		Name: s.Model.Name, Description: s.Description, Seed: r.Seed, End: r.End, Interval: r.Interval,
		Lanes: []Lane{}, Attempts: []Series{}, Queues: []Series{},
		Good: total.Good, Slow: total.Slow, Failed: total.Failed,
	}
	for _, c := range s.Model.Conditions {
		lane := Lane{ID: c.ID, Kind: c.Kind, Spans: []Span{}}
		for _, t := range r.Toggles {
			if t.ID == c.ID {
				lane.Spans = append(lane.Spans, Span{t.From, t.To})
			}
		}
		p.Lanes = append(p.Lanes, lane)
	}
	p.users(r)
	for _, e := range r.Edges {
		if a := attemptsOf(e); a.Most() > 1 {
			p.Attempts = append(p.Attempts, a)
		}
	}
	p.Attempts = highest(p.Attempts)
	for _, v := range r.Services {
		q := Series{Name: v.ID}
		for _, k := range v.Intervals {
			q.Values = append(q.Values, float64(k.Waiting))
		}
		if q.Most() > 0 {
			p.Queues = append(p.Queues, q)
		}
	}
	p.Queues = highest(p.Queues)
	return p
}

// summary says in one sentence how the run went.
func (p Picture) summary() string {
	ended := p.Good + p.Slow + p.Failed
	part := func(n int) string { return wording.Percent(float64(n) / float64(max(ended, 1))) }
	return fmt.Sprintf("Of %s after the warm-up, %s were good, %s slow and %s failed.",
		wording.Plural(ended, "request"), part(p.Good), part(p.Slow), part(p.Failed))
}

// users adds what the users saw.
func (p *Picture) users(r *sim.Result) {
	seconds := r.Interval.Seconds()
	offered, good, bad := Series{Name: "offered"}, Series{Name: "good"}, Series{Name: "failed or slow"}
	p50, p99 := Series{Name: "median"}, Series{Name: "99th percentile"}
	p.Lost, p.InFlight = Series{Name: "failed or slow so far"}, Series{Name: "in flight"}
	lost := 0
	for _, u := range r.Users {
		offered.Values = append(offered.Values, float64(u.Offered)/seconds)
		good.Values = append(good.Values, float64(u.Good)/seconds)
		bad.Values = append(bad.Values, float64(u.Failed+u.Slow)/seconds)
		median, high := math.NaN(), math.NaN() // where nothing succeeded there is no latency
		if u.Good+u.Slow > 0 {
			median, high = u.P50.Seconds(), u.P99.Seconds()
		}
		p50.Values, p99.Values = append(p50.Values, median), append(p99.Values, high)
		lost += u.Failed + u.Slow
		p.Lost.Values = append(p.Lost.Values, float64(lost))
		p.InFlight.Values = append(p.InFlight.Values, float64(u.InFlight))
	}
	p.Rates = []Series{offered, good, bad}
	p.Latency = []Series{p50, p99}
}

// attemptsOf is how many attempts each call of an edge took. Where there was no
// call it is 1.
func attemptsOf(e sim.EdgeResult) Series {
	s := Series{Name: e.From + " to " + e.To, Values: []float64{1}}
	for i, k := range e.Intervals {
		v := 1.0
		if k.Calls > 0 {
			v = float64(k.Attempts) / float64(k.Calls)
		}
		if i == 0 {
			s.Values[0] = v
			continue
		}
		s.Values = append(s.Values, v)
	}
	return s
}

// highest returns the series that reach highest, as many as can be told apart.
func highest(all []Series) []Series {
	slices.SortStableFunc(all, func(a, b Series) int { return cmp.Compare(b.Most(), a.Most()) })
	return all[:min(len(all), mostLines)]
}
