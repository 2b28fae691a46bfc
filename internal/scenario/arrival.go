package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"example.test/eddy/internal/request"
)

const (
	// apart is how long nothing must come at an entry for what follows to be a
	// burst of its own.
	apart = 10 * time.Second
	// mostBursts and mostSeconds bound what is kept of an entry.
	mostBursts, mostSeconds = 1 << 12, 2 * 60 * 60
	// hoursOfWeek count from Monday, midnight UTC.
	hoursOfWeek = 7 * 24
)

// arrivals are when requests came at one entry.
type arrivals struct {
	n       int
	byHour  [hoursOfWeek]int
	seconds map[int64]int // of the first two hours
	begun   int64
	bursts  []burst
}

// A burst is requests with no pause between.
type burst struct {
	from, to time.Time
	n        int
}

func (a *arrivals) add(at time.Time) {
	a.n++
	a.byHour[hourOf(at)]++
	if a.seconds == nil {
		a.seconds, a.begun = make(map[int64]int), at.Unix()
	}
	if at.Unix()-a.begun < mostSeconds {
		a.seconds[at.Unix()]++
	}
	if k := len(a.bursts); k > 0 && at.Before(a.bursts[k-1].to.Add(apart)) {
		b := &a.bursts[k-1]
		b.n++
		if at.After(b.to) {
			b.to = at
		}
		return
	}
	if len(a.bursts) < mostBursts {
		a.bursts = append(a.bursts, burst{at, at, 1})
	}
}

func hourOf(t time.Time) int {
	t = t.UTC()
	return (int(t.Weekday())+6)%7*24 + t.Hour()
}

// An Arrival is how requests come at one entry.
type Arrival struct {
	Entry request.Entry `json:"entry"`
	N     int           `json:"n"`
	Mean  float64       `json:"mean"` // a second, over all of the time
	// Hours are the rates in the hours of the week that were seen whole, or for
	// ten minutes at least.
	Hours []HourRate `json:"hours"`
	// Dispersion is the variance of the requests in a second over their mean: 1 if
	// they come independently of each other, more in bursts.
	Dispersion float64 `json:"dispersion"`
	// Job is set if they come at fixed intervals, as from a scheduler.
	Job *Job `json:"job,omitempty"`
}

// An HourRate is the rate in one hour of the week.
type HourRate struct {
	Hour string  `json:"hour"` // "Mon 14", UTC
	Rate float64 `json:"rate"` // a second
	Seen float64 `json:"seen"` // seconds
}

// A Job is what a scheduler starts.
type Job struct {
	Every    time.Duration `json:"every_ns"`
	Takes    time.Duration `json:"takes_ns"` // from its first request to its last
	Requests int           `json:"requests"` // of one run, the median
	Runs     int           `json:"runs"`     // that were seen
}

func hourName(h int) string {
	return fmt.Sprintf("%s %02d", []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}[h/24], h%24)
}

// arrival describes an entry, of which requests were recorded from one time to
// another.
func (a *arrivals) arrival(e request.Entry, from, to time.Time) Arrival {
	out := Arrival{Entry: e, N: a.n, Mean: round3(float64(a.n) / max(to.Sub(from).Seconds(), 1)), Hours: []HourRate{}, Job: a.job()}
	seen := secondsByHour(from, to)
	for _, h := range slices.Sorted(maps.Keys(seen)) {
		if seen[h] >= 600 {
			out.Hours = append(out.Hours, HourRate{hourName(h), round3(float64(a.byHour[h]) / seen[h]), math.Round(seen[h])})
		}
	}
	length := min(to.Unix()-a.begun+1, mostSeconds)
	var sum, squares float64
	for _, n := range a.seconds {
		sum, squares = sum+float64(n), squares+float64(n*n)
	}
	if mean := sum / float64(length); length > 1 && mean > 0 {
		out.Dispersion = round3((squares/float64(length) - mean*mean) / mean)
	}
	return out
}

// secondsByHour is how long each hour of the week was recorded.
func secondsByHour(from, to time.Time) map[int]float64 {
	out := make(map[int]float64)
	for at := from; at.Before(to); {
		next := at.Truncate(time.Hour).Add(time.Hour)
		if next.After(to) {
			next = to
		}
		out[hourOf(at)] += next.Sub(at).Seconds()
		at = next
	}
	return out
}

// job returns what a scheduler starts, if that is what the bursts are: at least
// four, whose beginnings are as far apart as the median of that within a tenth,
// nine times in ten, and which take up less than half of the time.
func (a *arrivals) job() *Job {
	const least = 4
	if len(a.bursts) < least {
		return nil
	}
	var gaps, takes []time.Duration
	var sizes []int
	for i, b := range a.bursts {
		if i > 0 {
			gaps = append(gaps, b.from.Sub(a.bursts[i-1].from))
		}
		takes, sizes = append(takes, b.to.Sub(b.from)), append(sizes, b.n)
	}
	every, long, n := median(gaps), median(takes), median(sizes)
	near := 0
	for _, g := range gaps {
		if (g - every).Abs() <= every/10 {
			near++
		}
	}
	if 10*near < 9*len(gaps) || 2*long > every {
		return nil
	}
	return &Job{Every: every.Round(time.Second), Takes: max(long.Round(time.Second), time.Second), Requests: n, Runs: len(a.bursts)}
}

func median[T cmp.Ordered](list []T) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// rate is the one that a choice of hour gives: "" for the mean, "busiest",
// "quietest", or an hour such as "Tue 14", in UTC.
func (a Arrival) rate(hour string) (float64, error) {
	if hour == "" || hour == "mean" {
		return a.Mean, nil
	}
	if len(a.Hours) == 0 {
		return 0, fmt.Errorf("hour %q: no hour of the week was recorded for ten minutes", hour)
	}
	byRate := func(x, y HourRate) int { return cmp.Compare(x.Rate, y.Rate) }
	switch hour {
	case "busiest":
		return slices.MaxFunc(a.Hours, byRate).Rate, nil
	case "quietest":
		return slices.MinFunc(a.Hours, byRate).Rate, nil
	}
	var names []string
	for _, h := range a.Hours {
		if strings.EqualFold(h.Hour, hour) {
			return h.Rate, nil
		}
		names = append(names, h.Hour)
	}
	return 0, fmt.Errorf("hour %q: want mean, busiest, quietest or one that was recorded: %s to %s", hour, names[0], names[len(names)-1])
}
