package scenario

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
	"time"

	"example.test/eddy/internal/wording"
)

//go:embed page.html
var pageText string

// Page writes a page that shows a run and, if study is not nil, the experiment.
// It is one file that loads nothing.
func Page(w io.Writer, p Picture, study *Study) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	v := pageView{
		Name: p.Name, Description: p.Description, Seed: p.Seed, Summary: p.summary(),
		Lanes: p.lanes(), Portrait: p.portrait(),
	}
	for _, c := range []struct {
		title, unit string
		series      []Series
	}{
		{"Requests", "a second", p.Rates},
		{"Amplification", "attempts a call", p.Attempts},
		{"Waiting for a server", "requests", p.Queues},
		{"Latency of successes", "seconds", p.Latency},
		{"Failed or slow so far", "requests", []Series{p.Lost}},
	} {
		if len(c.series) > 0 {
			v.Charts = append(v.Charts, p.chart(c.title, c.unit, c.series))
		}
	}
	if study != nil {
		v.Study = study.view()
	}
	if err := t.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// A pageView is what the template shows.
type pageView struct {
	Name, Description, Summary string
	Seed                       uint64
	Lanes                      lanesView
	Charts                     []chartView
	Portrait                   portraitView
	Study                      *studyView
}

// The geometry of a chart, in the units of its picture. All charts have the same
// axis of time, so that what lies above each other happened together.
const (
	plotWidth  = 1000.0
	plotLeft   = 150.0
	plotRight  = 12.0
	plotHeight = 130.0
	laneHeight = 24.0
)

// x is the place of a time.
func (p Picture) x(at time.Duration) float64 {
	return plotLeft + (plotWidth-plotLeft-plotRight)*float64(at)/float64(p.End)
}

type lanesView struct {
	Height string
	Lanes  []laneView
	Ticks  []tickView
}

type laneView struct {
	Y, TextY, Label, State string
	Bars                   []barView
}

type barView struct{ X, W, Title string }

type tickView struct{ X, Y, TextY, Label string }

// lanes draws when each condition was in force.
func (p Picture) lanes() lanesView {
	v := lanesView{Height: at(laneHeight*float64(len(p.Lanes)) + 22), Ticks: p.ticks(laneHeight * float64(len(p.Lanes)))}
	for i, l := range p.Lanes {
		y := laneHeight * float64(i)
		lane := laneView{Y: at(y + 4), TextY: at(y + 16), Label: l.ID, State: laneText(l)}
		for _, t := range l.Spans {
			lane.Bars = append(lane.Bars, barView{
				X: at(p.x(t.From)), W: at(max(p.x(t.To)-p.x(t.From), 2)),
				Title: fmt.Sprintf("%s (%s) in force from %s to %s", l.ID, l.Kind, t.From, t.To),
			})
		}
		v.Lanes = append(v.Lanes, lane)
	}
	return v
}

// ticks are about six round times.
func (p Picture) ticks(y float64) []tickView {
	step := p.End
	for _, s := range []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 24 * time.Hour,
	} {
		if p.End/s <= 8 {
			step = s
			break
		}
	}
	var out []tickView
	for t := time.Duration(0); t <= p.End; t += step {
		out = append(out, tickView{X: at(p.x(t)), Y: at(y), TextY: at(y + 15), Label: shortly(t)})
	}
	return out
}

// shortly writes a round duration without the units that are zero: "1h", "2m",
// "1m30s".
func shortly(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}

type chartView struct {
	Title, Unit, Height string
	Lines               []lineView
	Grid                []gridView
	Ticks               []tickView
}

type lineView struct {
	Class, Path, Name, Most string
}

type gridView struct{ X1, X2, Y, TextX, TextY, Label string }

// chart draws series over the axis of time.
func (p Picture) chart(title, unit string, series []Series) chartView {
	v := chartView{Title: title, Unit: unit, Height: at(plotHeight + 30), Ticks: p.ticks(plotHeight + 8)}
	top := 0.0
	for _, s := range series {
		top = max(top, s.Most())
	}
	top = roundUp(top)
	y := func(value float64) float64 { return 8 + plotHeight*(1-value/top) }
	for _, part := range []float64{0, 0.5, 1} {
		v.Grid = append(v.Grid, gridView{
			X1: at(plotLeft), X2: at(plotWidth - plotRight), Y: at(y(part * top)),
			TextX: at(plotLeft - 8), TextY: at(y(part*top) + 4), Label: number(part * top),
		})
	}
	for i, s := range series {
		if len(series) == 1 {
			i = 1 // what is alone has the colour of what matters
		}
		var path strings.Builder
		sign := "M"
		for k, value := range s.Values {
			if math.IsNaN(value) {
				sign = "M" // a gap
				continue
			}
			// A value stands in the middle of its interval.
			x := p.x(min(time.Duration(k)*p.Interval+p.Interval/2, p.End))
			fmt.Fprintf(&path, "%s%s %s", sign, at(x), at(y(value)))
			sign = "L"
		}
		v.Lines = append(v.Lines, lineView{
			Class: fmt.Sprintf("s%d", i), Path: path.String(), Name: s.Name, Most: number(s.Most()),
		})
	}
	return v
}

// roundUp returns the next of 1, 2, 2.5, 5 times a power of ten; 1 for 0.
func roundUp(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if v <= m*unit*(1+1e-12) {
			return m * unit
		}
	}
	return 10 * unit
}

// at writes a place in a picture: a tenth of a pixel is less than an eye sees.
func at(v float64) string {
	text := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(text, ".0")
}

type portraitView struct {
	Path, FirstX, FirstY, LastX, LastY string
	Segments                           []segmentView
	XMost, YMost                       string
}

// A segmentView is one part of the run; later ones are darker.
type segmentView struct{ Path, Opacity string }

// portrait draws how much was answered well over how much was in flight, a point
// an interval, in the order of time. A system that has collapsed stays in a
// corner of its own.
func (p Picture) portrait() portraitView {
	const width, height, parts = 420.0, 260.0, 12
	good := p.Rates[1].Values
	xTop, yTop := roundUp(p.InFlight.Most()), roundUp(p.Rates[0].Most())
	x := func(k int) string { return at(60 + (width-80)*p.InFlight.Values[k]/xTop) }
	y := func(k int) string { return at(10 + (height-50)*(1-min(good[k]/yTop, 1))) }
	n := len(good)
	v := portraitView{XMost: number(xTop), YMost: number(yTop), FirstX: x(0), FirstY: y(0), LastX: x(n - 1), LastY: y(n - 1)}
	for part := range parts {
		from, to := part*n/parts, min((part+1)*n/parts, n-1)
		var path strings.Builder
		sign := "M"
		for k := from; k <= to; k++ {
			fmt.Fprintf(&path, "%s%s %s", sign, x(k), y(k))
			sign = "L"
		}
		if path.Len() > 0 {
			v.Segments = append(v.Segments, segmentView{path.String(), fmt.Sprintf("%.2f", 0.25+0.75*float64(part+1)/parts)})
		}
	}
	return v
}

type studyView struct {
	Sentence, Runs, Harm string
	Cells                []cellView
	Sets                 []setView
	Asserts              []Checked
	Planted              string
	AsPlanted            bool
	Missing              []string
}

type cellView struct {
	On, Counts, Risk, Interval string
	X, BarX, BarW              string
}

type setView struct {
	Factors, Verdict, Contrast, Breaks string
	Edges                              []string
}

// view is what the page says about an experiment.
func (s *Study) view() *studyView {
	r := s.Result
	v := &studyView{
		Sentence: Sentence(r), Harm: r.Harm, Asserts: s.Asserts, AsPlanted: s.AsPlanted, Missing: r.Missing, Planted: "nothing that does harm",
		Runs: fmt.Sprintf("%s of %s each, under the seeds %d to %d; %s.", wording.Plural(len(r.Cells), "arm"),
			wording.Plural(r.Replications, "replication"), r.Seeds[0], r.Seeds[1], r.Stopped),
	}
	var planted []string
	for _, set := range s.Truth.Sets {
		planted = append(planted, strings.Join(set, " with "))
	}
	if len(planted) > 0 {
		v.Planted = strings.Join(planted, "; ")
	}
	for _, c := range r.Cells {
		v.Cells = append(v.Cells, cellView{
			On: orNone(c.On), Counts: fmt.Sprintf("%d of %d", c.Harmed, c.N), Risk: wording.Percent(c.Risk),
			Interval: wording.Percent(c.Low) + " to " + wording.Percent(c.High),
			X:        at(100 * c.Risk), BarX: at(100 * c.Low), BarW: at(max(100*(c.High-c.Low), 1)),
		})
	}
	for _, set := range r.Sets {
		k := setView{
			Factors: strings.Join(set.Factors, " and "), Verdict: string(set.Verdict),
			Contrast: contrastText(set), Breaks: strings.Join(set.Breaks, ", or "),
		}
		for _, e := range set.Edges {
			k.Edges = append(k.Edges, edgeText(e))
		}
		v.Sets = append(v.Sets, k)
	}
	return v
}
