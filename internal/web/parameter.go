package web

import (
	"net/url"
	"strconv"
	"time"

	"example.test/eddy/internal/telemetry"
)

// Parameters reads a query, each value within bounds, and keeps the first
// error.
type parameters struct {
	values url.Values
	now    time.Time
	err    error
}

// number reads a whole number from low to high.
func (p *parameters) number(name string, standard, low, high int) int {
	text := p.values.Get(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		p.fail(name, text, "a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
		return standard
	}
	return n
}

// moment reads a time: RFC 3339, or a duration that has passed since then.
func (p *parameters) moment(name string, standard time.Time) time.Time {
	text := p.values.Get(name)
	if text == "" {
		return standard
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
		return t.UTC()
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return p.now.Add(-d)
	}
	p.fail(name, text, `a time like 2026-11-21T10:00:00Z, or how long ago, like 90m`)
	return standard
}

// window reads from and to. Without them it is the given length up to now; it
// is at most longest.
func (p *parameters) window(length, longest time.Duration) telemetry.Window {
	end := p.moment("to", p.now)
	start := p.moment("from", end.Add(-length))
	w := telemetry.Window{Start: start, End: end}
	switch {
	case p.err != nil:
	case !start.Before(end):
		p.fail("from", p.values.Get("from"), "a time before to")
	case w.Duration() > longest:
		p.fail("from", p.values.Get("from"), "at most "+spell(longest)+" before to")
	}
	return w
}

func (p *parameters) fail(name, value, want string) {
	if p.err == nil {
		p.err = errParameter(name, value, want)
	}
}
