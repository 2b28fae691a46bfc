package web

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/telemetry"
)

const (
	// bucket is the grain of the totals; every step is a multiple of it.
	bucket = 10 * time.Second
	// mostSteps is how many steps a picture has: more would be noise, since each
	// step has fewer requests.
	mostSteps = 72
	// mostObservations bounds what one picture reads. DuckDB reads as many in
	// well under a second.
	mostObservations = 60_000
	// mostMarkers is how many changes beside the finding's are drawn.
	mostMarkers = 60
	// longestPicture bounds the window of a picture, however old the incident.
	longestPicture = 7 * 24 * time.Hour
)

// A Confluence is which conditions were in force over time, and how requests
// at the affected entries fared meanwhile: the data of an incident's picture.
//
// Lanes come from the observations, so a version that half of the instances
// run, or a flag that is decided per request, shows as a share. Rates come from
// the exact totals.
type Confluence struct {
	Window      telemetry.Window `json:"window"`
	StepSeconds int              `json:"step_seconds"`
	Outcome     request.Outcome  `json:"outcome"`
	Entries     []request.Entry  `json:"entries"`
	// Lanes has one for each of the finding's conditions, in its order.
	Lanes []Lane `json:"lanes"`
	// Together is the share of requests that met all conditions, by step.
	Together []Share `json:"together"`
	Rates    []Rate  `json:"rates"` // by step
	// Changes are the other changes of the window, oldest first; ChangesLeft is
	// how many more there were.
	Changes     []*telemetry.Change `json:"changes"`
	ChangesLeft int                 `json:"changes_left"`
	// Observations is how many were read. Sampled says that there were more, and
	// that the first ones of each step stand for all of it.
	Observations int  `json:"observations"`
	Sampled      bool `json:"sampled"`
}

// A Lane is one condition over time.
type Lane struct {
	Condition condition.Condition `json:"condition"`
	// Change put the condition in force, however long ago; nil if not known.
	Change *telemetry.Change `json:"change,omitempty"`
	// Changes are those of the same entity and dimension in the window.
	Changes []*telemetry.Change `json:"changes"`
	Shares  []Share             `json:"shares"` // by step
}

// A Share is how much of one step's requests met something.
type Share struct {
	// Requests is how many there were, by the weights of the observations; with
	// none, the ratio says nothing.
	Requests float64 `json:"n"`
	Ratio    float64 `json:"ratio"` // 0 to 1
}

// A Rate is how the requests of one step ended.
type Rate struct {
	Requests int     `json:"n"`
	Failed   int     `json:"failed"` // or slow, by the incident's outcome
	Risk     float64 `json:"risk"`
	Low      float64 `json:"low"` // the 95 % interval
	High     float64 `json:"high"`
}

// confluence answers from a few pictures kept, or computes.
func (s *Server) confluence(ctx context.Context, i incident.Incident) (*Confluence, error) {
	now := s.config.Clock().UTC()
	key := drawnKey{i.ID, i.Updated.UnixNano(), now.Unix() / 5}
	if c := s.drawn.get(key); c != nil {
		return c, nil
	}
	c, err := computeConfluence(ctx, s.config.Records, i, now)
	if err != nil {
		return nil, fmt.Errorf("confluence of incident %s: %w", i.ID, err)
	}
	s.drawn.put(key, c)
	return c, nil
}

func computeConfluence(ctx context.Context, h History, i incident.Incident, now time.Time) (*Confluence, error) {
	window := pictureWindow(i, now)
	all, err := h.Totals(ctx, window)
	if err != nil {
		return nil, err
	}
	affected := slices.DeleteFunc(slices.Clone(all), func(t pipeline.Total) bool {
		return len(i.Entries) > 0 && !slices.Contains(i.Entries, t.Entry)
	})
	// Before the first request there is nothing to see but an empty picture.
	if len(affected) > 0 {
		first := time.Unix(affected[0].Bucket, 0).UTC().Add(-bucket)
		if first.After(window.Start) && first.Before(i.Began) {
			window.Start = first
		}
	}
	c := &Confluence{
		Window: window, Outcome: i.Outcome, Entries: orEmpty(i.Entries),
		Lanes: []Lane{}, Changes: []*telemetry.Change{}, Together: []Share{},
	}
	if i.Finding != nil {
		for _, cond := range i.Finding.Conditions {
			c.Lanes = append(c.Lanes, Lane{Condition: cond, Changes: []*telemetry.Change{}})
		}
	}
	if err := c.readRequests(ctx, h, all, affected); err != nil {
		return nil, err
	}
	return c, c.readChanges(ctx, h)
}

// readRequests fills lanes and rates. A young incident has few buckets, so it
// is drawn from its observations in finer steps, if those are all there are.
func (c *Confluence) readRequests(ctx context.Context, h History, all, affected []pipeline.Total) error {
	if step := fineStep(c.Window); step > 0 && requestsOf(all) <= mostObservations {
		c.begin(step)
		if err := c.readLanes(ctx, h, all, step); err != nil {
			return err
		}
		if c.exact(affected) {
			c.finish()
			c.trim()
			return nil
		}
	}
	step := stepOf(c.Window)
	c.begin(step)
	if len(c.Lanes) > 0 {
		if err := c.readLanes(ctx, h, all, step); err != nil {
			return err
		}
	}
	c.Rates = ratesOf(affected, c.Outcome, c.Window, step, len(c.Rates))
	c.finish()
	return nil
}

// begin sets the step, and everything to nothing.
func (c *Confluence) begin(step time.Duration) {
	steps := int((c.Window.Duration() + step - 1) / step)
	c.StepSeconds, c.Observations, c.Sampled = int(step/time.Second), 0, false
	c.Rates, c.Together = make([]Rate, steps), make([]Share, steps)
	for l := range c.Lanes {
		c.Lanes[l].Shares = make([]Share, steps)
	}
}

// trim leaves out the steps before the first request and after the last, but
// for one.
func (c *Confluence) trim() {
	some := func(r Rate) bool { return r.Requests > 0 }
	first := slices.IndexFunc(c.Rates, some)
	if first < 0 {
		return
	}
	last := len(c.Rates) - 1
	for !some(c.Rates[last]) {
		last--
	}
	from, to := max(0, first-1), min(len(c.Rates), last+2)
	step := time.Duration(c.StepSeconds) * time.Second
	c.Window.Start = c.Window.Start.Add(time.Duration(from) * step)
	c.Window.End = c.Window.Start.Add(time.Duration(to-from) * step)
	c.Rates = c.Rates[from:to]
	if len(c.Together) > 0 {
		c.Together = c.Together[from:to]
	}
	for l := range c.Lanes {
		c.Lanes[l].Shares = c.Lanes[l].Shares[from:to]
	}
}

// exact reports whether the observations are all requests that there were.
func (c *Confluence) exact(affected []pipeline.Total) bool {
	var want, got Rate
	for _, t := range affected {
		want.Requests += t.Requests
		want.Failed += hurtOf(t, c.Outcome)
	}
	for _, r := range c.Rates {
		got.Requests += r.Requests
		got.Failed += r.Failed
	}
	return got == want
}

func requestsOf(totals []pipeline.Total) int {
	n := 0
	for _, t := range totals {
		n += t.Requests
	}
	return n
}

func hurtOf(t pipeline.Total, outcome request.Outcome) int {
	if outcome == request.Slow {
		return t.Slow
	}
	return t.Failed
}

// pictureWindow is the time of the incident and some before it, for contrast,
// on whole buckets.
func pictureWindow(i incident.Incident, now time.Time) telemetry.Window {
	end := cmp.Or(i.Closed, now)
	if later := i.LastFailure.Add(30 * time.Minute); i.Closed.IsZero() && later.Before(end) && later.After(i.Began) {
		end = later
	}
	if end.Before(i.Began) {
		end = i.Began.Add(bucket)
	}
	const most = 30 * time.Minute
	before := min(max(end.Sub(i.Began), 5*time.Minute), most)
	for _, m := range i.Timeline {
		// What put the conditions in force belongs to the picture, if it is near.
		if age := i.Began.Sub(m.Time); m.Condition != nil && age > 0 && age < most {
			before = max(before, age+time.Minute)
		}
	}
	w := telemetry.Window{Start: i.Began.Add(-before).UTC().Truncate(bucket), End: end.UTC().Add(bucket).Truncate(bucket)}
	if w.Duration() > longestPicture {
		w.End = w.Start.Add(longestPicture)
	}
	return w
}

// fineStep is a step shorter than a bucket for short windows, else 0.
func fineStep(w telemetry.Window) time.Duration {
	for _, step := range []time.Duration{2 * time.Second, 5 * time.Second} {
		if w.Duration() <= mostSteps*step {
			return step
		}
	}
	return 0
}

// stepOf is the shortest of some round steps that gives at most mostSteps.
func stepOf(w telemetry.Window) time.Duration {
	for _, step := range []time.Duration{
		bucket, 2 * bucket, 3 * bucket, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
		15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	} {
		if w.Duration() <= mostSteps*step {
			return step
		}
	}
	return 3 * time.Hour
}

func ratesOf(totals []pipeline.Total, outcome request.Outcome, w telemetry.Window, step time.Duration, steps int) []Rate {
	rates := make([]Rate, steps)
	for _, t := range totals {
		k := int(time.Unix(t.Bucket, 0).Sub(w.Start) / step)
		if k < 0 || k >= steps {
			continue
		}
		rates[k].Requests += t.Requests
		rates[k].Failed += hurtOf(t, outcome)
	}
	return rates
}

// readLanes adds up the observations of the affected entries. Where the totals
// promise more of them than are to be read, each step is read on its own, up
// to its part.
func (c *Confluence) readLanes(ctx context.Context, h History, totals []pipeline.Total, step time.Duration) error {
	if requestsOf(totals) <= mostObservations {
		more, err := c.add(h.Observations(ctx, c.Window), step, mostObservations)
		c.Sampled = more
		return err
	}
	for k := range c.Together {
		start := c.Window.Start.Add(time.Duration(k) * step)
		more, err := c.add(h.Observations(ctx, telemetry.Window{Start: start, End: start.Add(step)}), step, mostObservations/len(c.Together))
		if err != nil {
			return err
		}
		c.Sampled = c.Sampled || more
	}
	return nil
}

// add counts up to limit observations, and reports whether there were more.
func (c *Confluence) add(list iter.Seq2[store.Observation, error], step time.Duration, limit int) (more bool, err error) {
	read := 0
	for o, err := range list {
		if err != nil {
			return false, err
		}
		if read == limit {
			return true, nil
		}
		read++
		c.Observations++
		k := int(o.Time.Sub(c.Window.Start) / step)
		if k < 0 || k >= len(c.Together) || (len(c.Entries) > 0 && !slices.Contains(c.Entries, o.Entry)) {
			continue
		}
		weight := o.Weight
		if weight <= 0 {
			weight = 1
		}
		c.Rates[k].Requests++
		if o.Outcome == c.Outcome {
			c.Rates[k].Failed++
		}
		c.count(o.InForce, k, weight)
	}
	return false, nil
}

// count adds one observation to the lanes. Ratio holds a weight until finish.
func (c *Confluence) count(inForce []condition.Condition, k int, weight float64) {
	met := 0
	for l := range c.Lanes {
		share := &c.Lanes[l].Shares[k]
		share.Requests += weight
		if slices.Contains(inForce, c.Lanes[l].Condition) {
			share.Ratio += weight
			met++
		}
	}
	c.Together[k].Requests += weight
	if met == len(c.Lanes) && met > 0 {
		c.Together[k].Ratio += weight
	}
}

// finish turns weights into ratios, and counts into rates.
func (c *Confluence) finish() {
	settle := func(shares []Share) {
		for k := range shares {
			if shares[k].Requests > 0 {
				shares[k].Ratio /= shares[k].Requests
			}
		}
	}
	settle(c.Together)
	for _, l := range c.Lanes {
		settle(l.Shares)
	}
	for k := range c.Rates {
		r := &c.Rates[k]
		if r.Requests > 0 {
			r.Risk = float64(r.Failed) / float64(r.Requests)
		}
		r.Low, r.High = interaction.Wilson(float64(r.Failed), float64(r.Requests))
	}
	if len(c.Lanes) == 0 {
		c.Together = []Share{}
	}
}

// readChanges finds what put each lane's condition in force, and what else
// changed in the window.
func (c *Confluence) readChanges(ctx context.Context, h History) error {
	earlier, err := h.InForce(ctx, c.Window.Start)
	if err != nil {
		return err
	}
	for _, ch := range earlier {
		c.attribute(ch)
	}
	for ch, err := range h.Changes(ctx, c.Window) {
		if err != nil {
			return err
		}
		if l := c.attribute(ch); l != nil {
			if len(l.Changes) < mostMarkers {
				l.Changes = append(l.Changes, ch)
			}
			continue
		}
		if len(c.Changes) == mostMarkers {
			c.ChangesLeft++
			continue
		}
		c.Changes = append(c.Changes, ch)
	}
	return nil
}

// attribute finds the lane that a change is about, and makes the change the
// lane's own if it put the lane's condition in force.
func (c *Confluence) attribute(ch *telemetry.Change) *Lane {
	var about *Lane
	for k := range c.Lanes {
		l := &c.Lanes[k]
		if l.Condition.Entity != ch.Entity || l.Condition.Dimension != ch.Dimension {
			continue
		}
		about = l
		// The first time counts: a state that was set again did not begin again.
		again := l.Change != nil && ch.Previous == ch.Value
		if !ch.Ends && l.Condition.Value == ch.Value && !again {
			l.Change = ch
		}
	}
	return about
}
