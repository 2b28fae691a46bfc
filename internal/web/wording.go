package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"example.test/eddy/internal/wording"
)

// between writes an interval of ratios: "72% to 76%".
func between(low, high float64) string { return wording.Percent(low) + " to " + wording.Percent(high) }

// spell writes a duration as people say it, two units at most.
func spell(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return strings.TrimSuffix(strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64), ".0") + " ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < day:
		return two(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	case d < 14*day:
		return two(int(d/day), "d", int(d.Hours())%24, "h")
	}
	return fmt.Sprintf("%d days", int(d/day))
}

func two(a int, unit string, b int, lesser string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unit)
	}
	return fmt.Sprintf("%d %s %d %s", a, unit, b, lesser)
}

// clock writes the time of day, and the date where it is not today's.
func clock(t, now time.Time) string {
	t = t.UTC()
	y, m, d := t.Date()
	if ny, nm, nd := now.UTC().Date(); y == ny && m == nm && d == nd {
		return t.Format("15:04:05")
	}
	if y == now.UTC().Year() {
		return t.Format("2 Jan 15:04:05")
	}
	return t.Format("2 Jan 2006 15:04:05")
}

// shorten cuts text to at most limit runes, the last of them an ellipsis.
func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// list writes "a", "a and b", "a, b and c".
func list(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
