package sim

import "time"

// A Result is what a run did.
type Result struct {
	Name     string
	Seed     uint64
	Stop     StopReason
	End      time.Duration
	Warmup   time.Duration
	Events   uint64
	Interval time.Duration
	// Toggles are when conditions were in force: the truth, apart from telemetry.
	Toggles []Toggle
	// Users are what all workloads saw, an item an interval.
	Users     []UserInterval
	Services  []ServiceResult // services, then stores
	Caches    []CacheResult
	Streams   []StreamResult
	Leases    []LeaseResult
	Scalers   []ScaleResult
	Schedules []ScheduleResult
	Edges     []EdgeResult
	Harms     map[string]int // silent harms, by the names that rules give them
	Telemetry TelemetryCount // what became of the spans, if there was a sink
	// Latency is of what succeeded in the intervals after the warm-up.
	Latency Histogram
}

// A UserInterval is what users saw in one interval. A request counts as offered
// when it begins and as the rest when it ends.
type UserInterval struct {
	At       time.Duration // its start
	Offered  int
	Good     int // succeeded in time
	Slow     int // succeeded late
	Failed   int
	InFlight int // at its end
	// Of what succeeded.
	Mean, P50, P99 time.Duration
}

// A ServiceResult is what one service or store did, over all its instances.
type ServiceResult struct {
	ID        string
	Intervals []ServiceInterval
}

// A ServiceInterval is what a service did in one interval.
type ServiceInterval struct {
	StationCount
	Waiting int     // in its queues, at the end
	Held    int     // servers, at the end
	Mean    float64 // mean number present
}

// A CacheResult is what a cache did.
type CacheResult struct {
	ID        string
	Intervals []CacheCount
}

// A StreamResult is what a stream did.
type StreamResult struct {
	ID        string
	Intervals []StreamCount
}

// A LeaseResult is what became of a lease, in the whole run.
type LeaseResult struct {
	ID string
	LeaseCount
}

// A ScaleResult is what the autoscaler of a service did, in the whole run.
type ScaleResult struct {
	ID string
	ScaleCount
}

// A ScheduleResult is what became of the schedule of a workload, in the whole run.
type ScheduleResult struct {
	ID string
	ScheduleCount
}

// An EdgeResult is what went over one edge.
type EdgeResult struct {
	From, To  string
	Intervals []EdgeCount
}

// Total sums up what users saw from one time to another.
func (r *Result) Total(from, to time.Duration) UserInterval {
	sum := UserInterval{At: from}
	for _, u := range r.Users {
		if u.At >= from && u.At < to {
			sum.Offered += u.Offered
			sum.Good += u.Good
			sum.Slow += u.Slow
			sum.Failed += u.Failed
			sum.InFlight = u.InFlight
		}
	}
	return sum
}

// Edge returns what went over an edge from one time to another.
func (r *Result) Edge(from, to string, begin, end time.Duration) EdgeCount {
	var sum EdgeCount
	for _, e := range r.Edges {
		if e.From != from || e.To != to {
			continue
		}
		for i, c := range e.Intervals {
			if at := time.Duration(i) * r.Interval; at >= begin && at < end {
				sum = sum.plus(c)
			}
		}
	}
	return sum
}

// Service returns what a service or store did from one time to another, and the
// mean number present.
func (r *Result) Service(id string, begin, end time.Duration) (StationCount, float64) {
	var sum StationCount
	mean, n := 0.0, 0
	for _, s := range r.Services {
		if s.ID != id {
			continue
		}
		for i, c := range s.Intervals {
			if at := time.Duration(i) * r.Interval; at >= begin && at < end {
				sum = sum.plus(c.StationCount)
				mean += c.Mean
				n++
			}
		}
	}
	return sum, mean / float64(max(n, 1))
}

// Recovery returns how long after a time the share of good requests among those
// that ended first reached share and kept it, interval by interval, for as long
// as hold. It is false if that never happens in the run.
func (r *Result) Recovery(after time.Duration, share float64, hold time.Duration) (time.Duration, bool) {
	need := max(1, int(hold/r.Interval))
	run := 0
	for _, u := range r.Users {
		if u.At < after {
			continue
		}
		if ended := u.Good + u.Slow + u.Failed; ended > 0 && float64(u.Good) >= share*float64(ended) {
			run++
		} else {
			run = 0
		}
		if run == need {
			return u.At + r.Interval - time.Duration(need)*r.Interval - after, true
		}
	}
	return 0, false
}

func (c StationCount) plus(d StationCount) StationCount {
	return StationCount{
		Arrived: c.Arrived + d.Arrived, Done: c.Done + d.Done, Refused: c.Refused + d.Refused, Expired: c.Expired + d.Expired,
		Wasted: c.Wasted + d.Wasted, Errors: c.Errors + d.Errors, Unready: c.Unready + d.Unready, Killed: c.Killed + d.Killed, Cold: c.Cold + d.Cold, Work: c.Work + d.Work, Waste: c.Waste + d.Waste,
		Sojourn: c.Sojourn + d.Sojourn,
	}
}

func (c StationCount) minus(d StationCount) StationCount {
	return c.plus(StationCount{
		Arrived: -d.Arrived, Done: -d.Done, Refused: -d.Refused, Expired: -d.Expired,
		Wasted: -d.Wasted, Errors: -d.Errors, Unready: -d.Unready, Killed: -d.Killed, Cold: -d.Cold, Work: -d.Work, Waste: -d.Waste, Sojourn: -d.Sojourn,
	})
}

func (c EdgeCount) plus(d EdgeCount) EdgeCount {
	return EdgeCount{
		Calls: c.Calls + d.Calls, Attempts: c.Attempts + d.Attempts, OK: c.OK + d.OK, Failed: c.Failed + d.Failed,
		Timeouts: c.Timeouts + d.Timeouts, Refused: c.Refused + d.Refused, Shed: c.Shed + d.Shed, Denied: c.Denied + d.Denied,
		Hedged: c.Hedged + d.Hedged, Ejected: c.Ejected + d.Ejected, Fallback: c.Fallback + d.Fallback,
	}
}

func (c EdgeCount) minus(d EdgeCount) EdgeCount {
	return c.plus(EdgeCount{
		Calls: -d.Calls, Attempts: -d.Attempts, OK: -d.OK, Failed: -d.Failed, Timeouts: -d.Timeouts,
		Refused: -d.Refused, Shed: -d.Shed, Denied: -d.Denied, Hedged: -d.Hedged, Ejected: -d.Ejected, Fallback: -d.Fallback,
	})
}

// minus leaves the most loads at once as it is: it is no sum.
func (c CacheCount) minus(d CacheCount) CacheCount {
	return CacheCount{
		Hits: c.Hits - d.Hits, Stale: c.Stale - d.Stale, Misses: c.Misses - d.Misses, Coalesced: c.Coalesced - d.Coalesced,
		Loads: c.Loads - d.Loads, Early: c.Early - d.Early, Evicted: c.Evicted - d.Evicted, Loading: c.Loading,
	}
}
