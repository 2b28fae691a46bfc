package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// mostExamples is how many traces of a cell are linked.
const mostExamples = 3

// cellsView is the table of a finding's cells.
type cellsView struct {
	Keys  []cellKey
	Rows  []cellRow
	Scale []string // three labels of the common axis, from left to right
}

// cellKey says what a letter stands for.
type cellKey struct{ Letter, Name, Value string }

// cellRow is one combination.
type cellRow struct {
	Badges             []badge
	Label, Title       string
	Total, Failed      string
	Risk, Interval     string
	Whole, Empty, Harm bool
	// Left, Width and Middle place the interval and the risk on the axis, in
	// percent of it.
	Left, Width, Middle string
	Traces              []traceLink
}

// badge is one condition of a cell, in force or not.
type badge struct {
	Letter string
	Holds  bool
}

type traceLink struct{ Short, URL string }

func viewCells(i incident.Incident) cellsView {
	var v cellsView
	if i.Finding == nil {
		return v
	}
	for k, c := range i.Finding.Conditions {
		v.Keys = append(v.Keys, cellKey{letter(k), c.Name(), c.Value})
	}
	top := 0.0
	for _, c := range i.Finding.Cells {
		if c.Total > 0 {
			top = max(top, c.High)
		}
	}
	top = roundUp(top)
	v.Scale = []string{"0%", wording.Percent(top / 2), wording.Percent(top)}
	for _, c := range i.Finding.Cells {
		v.Rows = append(v.Rows, viewCell(i, c, top))
	}
	return v
}

func viewCell(i incident.Incident, c interaction.Cell, top float64) cellRow {
	row := cellRow{Total: wording.Count(c.Total), Failed: wording.Count(c.Failed), Empty: c.Total == 0}
	var letters, names []string
	for k, cond := range i.Finding.Conditions {
		holds := slices.Contains(c.Holds, cond.String())
		row.Badges = append(row.Badges, badge{letter(k), holds})
		if holds {
			letters, names = append(letters, letter(k)), append(names, cond.String())
		}
	}
	size := len(i.Finding.Conditions)
	row.Whole = len(names) == size && size > 0
	switch {
	case row.Whole && size == 1:
		row.Label = "in force"
	case row.Whole && size == 2:
		row.Label = "both"
	case row.Whole:
		row.Label = "all " + wording.Few(size)
	case len(names) == 0 && size == 1:
		row.Label = "not in force"
	case len(names) == 0:
		row.Label = "none"
	default:
		row.Label = "only " + list(letters)
	}
	row.Title = "no condition of the finding in force"
	if len(names) > 0 {
		row.Title = strings.Join(names, " + ")
	}
	if row.Empty {
		row.Risk = "not seen"
		return row
	}
	row.Harm = c.Failed > 0 && row.Whole
	row.Risk, row.Interval = wording.Percent(c.Risk), between(c.Low, c.High)
	row.Left = share(c.Low, top)
	row.Width = share(max(c.High-c.Low, top/200), top)
	row.Middle = share(c.Risk, top)
	for _, t := range c.Traces[:min(len(c.Traces), mostExamples)] {
		row.Traces = append(row.Traces, traceLink{t.String()[:8], fmt.Sprintf("/traces/%s?incident=%s", t, i.ID)})
	}
	return row
}

// share is a part of the axis as an SVG length.
func share(x, top float64) string {
	return strconv.FormatFloat(100*min(x/top, 1), 'f', 2, 64) + "%"
}

// roundUp is the least of some round ratios that is not below x.
func roundUp(x float64) float64 {
	for _, r := range []float64{.001, .002, .005, .01, .02, .05, .1, .2, .3, .4, .5, .6, .8} {
		if x <= r {
			return r
		}
	}
	return 1
}
