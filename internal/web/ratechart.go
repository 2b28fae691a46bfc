package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

// rate draws the share of requests that were hurt, below the lanes.
func (p painter) rate(y float64) rateMark {
	word := "Failed requests"
	if p.c.Outcome == request.Slow {
		word = "Slow requests"
	}
	top := 0.0
	for _, r := range p.c.Rates {
		top = max(top, r.Risk)
	}
	top = roundUp(max(top*1.1, 0.01))
	height := func(ratio float64) float64 { return y + p.rates*(1-min(ratio/top, 1)) }
	m := rateMark{Title: word, TitleX: at(0), TitleY: at(y + 14), SubY: at(y + 31)}
	m.Sub = shorten(entriesText(p.c.Entries), p.runes)
	if !p.labels {
		m.TitleY, m.Sub = at(y-8), ""
	}
	for _, part := range []float64{0, 0.5, 1} {
		gy := height(part * top)
		m.Grid = append(m.Grid, tickMark{
			X: at(p.gutter), X2: at(p.width - p.edge), Y: at(gy), Y2: at(gy),
			TextX: at(p.gutter - 6), TextY: at(gy + 4), Label: wording.Percent(part * top),
		})
	}
	for k := 0; k < len(p.c.Rates); {
		from := k
		for k < len(p.c.Rates) && p.c.Rates[k].Requests > 0 {
			k++
		}
		if k > from {
			p.run(&m, from, k, height)
		}
		if k == from {
			k++
		}
	}
	return m
}

// run draws the rate and its interval over steps that all have requests.
func (p painter) run(m *rateMark, from, to int, height func(float64) float64) {
	middle := func(k int) float64 { return p.x(k) + p.step/2 }
	if to-from == 1 {
		m.Dots = append(m.Dots, dotMark{at(middle(from)), at(height(p.c.Rates[from].Risk))})
		return
	}
	var line, area, back strings.Builder
	for k := from; k < to; k++ {
		sign := "L"
		if k == from {
			sign = "M"
		}
		r := p.c.Rates[k]
		fmt.Fprintf(&line, "%s%s %s", sign, at(middle(k)), at(height(r.Risk)))
		fmt.Fprintf(&area, "%s%s %s", sign, at(middle(k)), at(height(r.High)))
	}
	for k := to - 1; k >= from; k-- {
		fmt.Fprintf(&back, "L%s %s", at(middle(k)), at(height(p.c.Rates[k].Low)))
	}
	m.Line += line.String()
	m.Area += area.String() + back.String() + "Z"
}

// moments are the lines for the first failure and the end.
func (p painter) moments(top, y, bottom float64) []momentMark {
	var out []momentMark
	add := func(t time.Time, label string) {
		if t.IsZero() || t.Before(p.c.Window.Start) || t.After(p.c.Window.End) {
			return
		}
		x := p.time(t)
		m := momentMark{at(x), at(top), at(bottom), at(x + 5), at(y - 8), "start", label}
		if x > p.width-120 {
			m.TextX, m.Anchor = at(x-5), "end"
		}
		out = append(out, m)
	}
	add(p.i.Began, "first "+p.c.Outcome.Words("request").Noun)
	if !p.labels && len(out) > 0 {
		// The narrow picture has its title on the left of the same line.
		out[0].TextY = at(y + 12)
	}
	if !p.i.Closed.IsZero() {
		add(p.i.Closed, string(p.i.State))
	}
	return out
}

func (p painter) axis(top, bottom float64) []tickMark {
	span := p.c.Window.Duration()
	step := 24 * time.Hour
	for _, s := range []time.Duration{
		10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
		15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if span/s <= time.Duration(p.ticks) {
			step = s
			break
		}
	}
	format := "15:04"
	switch {
	case step < time.Minute:
		format = "15:04:05"
	case step >= 12*time.Hour:
		format = "2 Jan 15h"
	}
	var out []tickMark
	for t := p.c.Window.Start.Truncate(step).Add(step); t.Before(p.c.Window.End); t = t.Add(step) {
		x := p.time(t)
		if x < p.gutter+18 || x > p.width-p.edge-18 {
			continue
		}
		out = append(out, tickMark{X: at(x), Y: at(top), X2: at(x), Y2: at(bottom), TextX: at(x), TextY: at(bottom + 18), Label: t.UTC().Format(format)})
	}
	return out
}

// steps says in words what each step shows.
func (p painter) steps() []stepMark {
	var out []stepMark
	step := time.Duration(p.c.StepSeconds) * time.Second
	for k, r := range p.c.Rates {
		if r.Requests == 0 {
			continue
		}
		start := p.c.Window.Start.Add(time.Duration(k) * step)
		lines := []string{
			clock(start, p.now) + " to " + clock(start.Add(step), p.now) + " UTC",
			fmt.Sprintf("%s, %s %s: %s (%s)", wording.Plural(r.Requests, "request"), wording.Count(r.Failed), p.c.Outcome, wording.Percent(r.Risk), between(r.Low, r.High)),
		}
		for l, lane := range p.c.Lanes {
			if lane.Shares[k].Requests > 0 {
				lines = append(lines, fmt.Sprintf("%s %s: %s of requests", letter(l), lane.Condition, wording.Percent(lane.Shares[k].Ratio)))
			}
		}
		if len(p.c.Lanes) > 1 && p.c.Together[k].Requests > 0 {
			lines = append(lines, "together: "+wording.Percent(p.c.Together[k].Ratio)+" of requests")
		}
		out = append(out, stepMark{at(p.x(k)), at(p.step), strings.Join(lines, "\n")})
	}
	return out
}

func entriesText(entries []request.Entry) string {
	var names []string
	for _, e := range entries {
		names = append(names, e.String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
