package web

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/internal/wording"
)

// A layout is the geometry of one rendering of the confluence, in CSS pixels.
// There are two, one for wide windows and one for narrow ones: a picture that
// is only scaled down cannot be read on a phone.
type layout struct {
	class               string
	width, gutter, edge float64 // of the picture, left of the plot, right of it
	pitch, band         float64 // from lane to lane, and a lane's height
	above               float64 // where the lane lies within its pitch
	rates, gap          float64 // height of the rate chart, and of the room above it
	runes, ticks        int     // most runes of a label, most labels of the time axis
	labels              bool    // labels stand left of the lanes, else above
}

func layouts() []layout {
	return []layout{
		{"wide", 1080, 272, 14, 46, 26, 10, 150, 24, 36, 9, true},
		{"narrow", 346, 38, 6, 60, 20, 36, 130, 40, 40, 4, false},
	}
}

// picture is the confluence, ready for the template: everything has its place.
type picture struct {
	Class         string
	Width, Height string
	Plot          box // from the first lane to the time axis
	Lanes         []laneMark
	Bands         []bandMark // where the conditions overlap
	Strip         *stripMark // other changes
	Rate          rateMark
	Ticks         []tickMark
	Steps         []stepMark // what a step says when pointed at
	Moments       []momentMark
}

type box struct{ X, Y, W, H, Right, Bottom string }

type laneMark struct {
	Letter, Label, Since, Title           string
	BadgeX, BadgeY                        string
	TextX, TextY, SinceY, Anchor          string
	Path, BaseX1, BaseX2, BaseY, TopY, Hi string
	Marks                                 []changeMark
}

type bandMark struct{ X, Y, W, H, Opacity string }

type stripMark struct {
	Label, X, Y string
	Marks       []changeMark
}

type changeMark struct{ X, Y1, Y2, Path, Title string }

type rateMark struct {
	Title, TitleX, TitleY, Sub, SubY string
	Line, Area                       string
	Dots                             []dotMark
	Grid                             []tickMark
}

type dotMark struct{ X, Y string }

type tickMark struct{ X, Y, X2, Y2, TextX, TextY, Label string }

type stepMark struct{ X, W, Title string }

type momentMark struct{ X, Y1, Y2, TextX, TextY, Anchor, Label string }

// A painter draws one layout of one confluence.
type painter struct {
	layout
	c    *Confluence
	i    incident.Incident
	now  time.Time
	step float64 // width of a step
}

// paint draws both layouts.
func paint(c *Confluence, i incident.Incident, now time.Time) []picture {
	var out []picture
	for _, l := range layouts() {
		plot := l.width - l.gutter - l.edge
		steps := max(1, len(c.Rates))
		p := painter{layout: l, c: c, i: i, now: now, step: plot / float64(steps)}
		out = append(out, p.picture())
	}
	return out
}

func (p painter) picture() picture {
	y := 8.0
	out := picture{Class: p.class}
	for k := range p.c.Lanes {
		out.Lanes = append(out.Lanes, p.lane(k, y))
		y += p.pitch
	}
	if n := len(p.c.Changes); n > 0 {
		out.Strip = p.strip(y)
		y += 34
	}
	y += p.gap // for the names of moments
	bottom := y + p.rates
	out.Bands = p.bands(4, bottom)
	out.Rate = p.rate(y)
	out.Moments = p.moments(4, y, bottom)
	out.Ticks = p.axis(4, bottom)
	out.Steps = p.steps()
	plot := p.width - p.gutter - p.edge
	out.Plot = box{at(p.gutter), at(4), at(plot), at(bottom - 4), at(p.width - p.edge), at(bottom)}
	out.Width, out.Height = at(p.width), at(bottom+28)
	return out
}

// at writes a coordinate.
func at(x float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.1f", x), "0"), ".")
}

// x places a step's beginning, and time a moment.
func (p painter) x(k int) float64 { return p.gutter + float64(k)*p.step }

func (p painter) time(t time.Time) float64 {
	span := float64(p.c.StepSeconds) * float64(time.Second)
	x := p.gutter + p.step*float64(t.Sub(p.c.Window.Start))/span
	return min(max(x, p.gutter), p.width-p.edge)
}

func (p painter) lane(k int, y float64) laneMark {
	lane := p.c.Lanes[k]
	top := y + p.above
	base := top + p.band
	m := laneMark{
		Letter: letter(k), Label: shorten(lane.Condition.String(), p.runes), Title: lane.Condition.String(),
		BadgeX: at(11), BadgeY: at(y + 17), TextX: at(27), TextY: at(y + 21), SinceY: at(y + 37),
		BaseX1: at(p.gutter), BaseX2: at(p.width - p.edge), BaseY: at(base), TopY: at(top), Hi: at(p.band),
		Path: p.steppedPath(lane.Shares, base),
	}
	m.Since = p.since(lane)
	if !p.labels {
		m.BadgeX, m.BadgeY, m.TextX, m.TextY, m.SinceY = at(9), at(y+10), at(24), at(y+14), at(y+30)
	}
	for _, ch := range lane.Changes {
		m.Marks = append(m.Marks, p.diamond(ch, top-1))
	}
	return m
}

// since says what put a lane's condition in force, and when.
func (p painter) since(l Lane) string {
	if l.Change == nil {
		for _, m := range p.i.Timeline {
			if m.What == "first seen" && m.Condition != nil && *m.Condition == l.Condition {
				return "no change; met since " + clock(m.Time, p.now)
			}
		}
		return "no change on record sets it"
	}
	how := map[telemetry.Origin]string{
		telemetry.OriginInferred: "seen in spans", telemetry.OriginDerived: "measured",
	}[l.Change.Origin]
	if how == "" {
		how = string(l.Change.Kind)
	}
	word := "since " + clock(l.Change.Time, p.now)
	if age := p.i.Began.Sub(l.Change.Time); age >= time.Minute {
		word = "since " + strings.TrimSuffix(clock(l.Change.Time, p.now), l.Change.Time.UTC().Format(":05")) + ", " + spell(age) + " before"
	}
	if utf8.RuneCountInString(word+how)+2 > p.runes {
		return word
	}
	return word + ", " + how
}

// steppedPath is the area under the shares: full height where all requests met
// the condition, nothing where there were none.
func (p painter) steppedPath(shares []Share, base float64) string {
	var b strings.Builder
	open := false
	for k, s := range shares {
		if s.Requests == 0 || s.Ratio == 0 {
			if open {
				fmt.Fprintf(&b, "V%sZ", at(base))
			}
			open = false
			continue
		}
		y := base - max(1.5, s.Ratio*p.band)
		if !open {
			fmt.Fprintf(&b, "M%s %s", at(p.x(k)), at(base))
			open = true
		}
		fmt.Fprintf(&b, "V%sH%s", at(y), at(p.x(k+1)))
	}
	if open {
		fmt.Fprintf(&b, "V%sZ", at(base))
	}
	return b.String()
}

// diamond marks a change.
func (p painter) diamond(ch *telemetry.Change, y float64) changeMark {
	x := p.time(ch.Time)
	return changeMark{
		X: at(x), Y1: at(y), Y2: at(y + p.band + 2), Title: p.describe(ch),
		Path: fmt.Sprintf("M%s %sl5 5l-5 5l-5 -5Z", at(x), at(y-5)),
	}
}

// describe is a change in one line.
func (p painter) describe(ch *telemetry.Change) string {
	return clock(ch.Time, p.now) + " " + changeText(ch)
}

// changeText says what a change did.
func changeText(ch *telemetry.Change) string {
	name := strings.TrimSpace(ch.Entity + " " + ch.Dimension)
	if ch.Instance != "" {
		name += " on " + ch.Instance
	}
	switch {
	case ch.Ends && ch.Value != "":
		return name + "=" + ch.Value + " ended"
	case ch.Ends:
		return name + " ended"
	case ch.Previous != "":
		return name + ": " + ch.Previous + " → " + ch.Value
	}
	return name + "=" + ch.Value
}

func (p painter) strip(y float64) *stripMark {
	n := len(p.c.Changes) + p.c.ChangesLeft
	s := &stripMark{Label: wording.Plural(n, "other change"), X: at(0), Y: at(y + 20)}
	if !p.labels {
		s.Y = at(y + 8)
	}
	for _, ch := range p.c.Changes {
		m := p.diamond(ch, y+20)
		m.Y1, m.Y2 = at(y+11), at(y+25)
		s.Marks = append(s.Marks, m)
	}
	return s
}

// bands shades where requests met all conditions, darker for a larger share,
// through lanes and rates alike. The share is smoothed over neighbours, since
// steps with few requests would make stripes that mean nothing; where it
// begins and ends is exact.
func (p painter) bands(top, bottom float64) []bandMark {
	var out []bandMark
	met := func(k int) bool {
		return k >= 0 && k < len(p.c.Together) && p.c.Together[k].Requests > 0 && p.c.Together[k].Ratio >= 0.005
	}
	level := func(k int) int {
		if !met(k) {
			return 0
		}
		sum, n := 0.0, 0.0
		for j := k - 3; j <= k+3; j++ {
			if met(j) {
				sum, n = sum+p.c.Together[j].Ratio, n+1
			}
		}
		return int(math.Ceil(sum / n * 8))
	}
	for k := 0; k < len(p.c.Together); {
		from, l := k, level(k)
		for k < len(p.c.Together) && level(k) == l {
			k++
		}
		if l > 0 {
			out = append(out, bandMark{at(p.x(from)), at(top), at(p.x(k) - p.x(from)), at(bottom - top), fmt.Sprintf("%.2f", 0.08+0.2*float64(l)/8)})
		}
	}
	return out
}
