package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

const (
	// eventLimit is how many events are kept for clients that come back: at a
	// step every 10 s with two incidents, a quarter of an hour.
	eventLimit = 256
	// clientLimit is how many streams may be open at once.
	clientLimit = 256
)

// The names of events. Nothing follows from a reset but that the client must
// read the current state anew, because events between were lost.
const (
	eventReady    = "ready"
	eventReset    = "reset"
	eventStep     = "step"
	eventOpened   = "incident.opened"
	eventUpdated  = "incident.updated"
	eventResolved = "incident.resolved"
)

// StepEvent is the data of a "step" event.
type StepEvent struct {
	Window telemetry.Window `json:"window"`
	// Requests, Failed and Slow count what was completed since the last step.
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
	Slow     int `json:"slow"`
	// Incidents are those that the step touched.
	Incidents []incident.ID `json:"incidents"`
}

// IncidentEvent is the data of "incident.opened", "incident.updated" and
// "incident.resolved".
type IncidentEvent struct {
	ID       incident.ID     `json:"id"`
	State    incident.State  `json:"state"`
	Status   incident.Status `json:"status,omitempty"`
	Title    string          `json:"title"`
	Outcome  request.Outcome `json:"outcome"`
	Updated  time.Time       `json:"updated"`
	Failures int             `json:"failures"`
	Requests int             `json:"requests"`
}

// Publish tells all clients what a step did. It never blocks, and keeps
// nothing of r.
func (s *Server) Publish(r pipeline.Result) {
	step := StepEvent{Window: r.Window, Requests: r.Requests, Failed: r.Failed, Slow: r.Slow, Incidents: []incident.ID{}}
	for _, i := range r.Incidents {
		step.Incidents = append(step.Incidents, i.ID)
		s.PublishIncident(i)
	}
	s.publish(eventStep, step)
}

// PublishIncident tells all clients of one incident that changed between steps.
// It never blocks.
func (s *Server) PublishIncident(i incident.Incident) {
	name := eventUpdated
	switch {
	case i.State == incident.Resolved:
		name = eventResolved
	case i.State == incident.Open && i.Analyses <= 1:
		name = eventOpened
	}
	s.publish(name, IncidentEvent{
		ID: i.ID, State: i.State, Status: i.Status, Title: i.Title, Outcome: i.Outcome,
		Updated: i.Updated, Failures: i.Failures, Requests: i.Requests,
	})
}

func (s *Server) publish(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.config.Log.Error("event could not be encoded", "event", name, "error", err)
		return
	}
	s.feed.publish(name, data)
	s.metrics.published()
}

// An event is one server-sent event.
type event struct {
	number uint64
	name   string
	data   []byte
}

// A feed keeps the last events and wakes the clients that wait for more.
// Clients hold no queue of their own, only a place in the feed, so a slow one
// costs nothing: it is overtaken.
type feed struct {
	// epoch begins every event id, so that an id of an earlier process is known
	// for what it is.
	epoch   string
	metrics metrics
	done    chan struct{}

	mu      sync.Mutex
	events  []event // the last eventLimit, by number
	last    uint64  // number of the newest event
	clients map[chan struct{}]struct{}
	closed  bool
}

func newFeed(now time.Time, m metrics) *feed {
	return &feed{
		epoch: strconv.FormatInt(now.UnixMilli(), 36), metrics: m,
		done: make(chan struct{}), clients: make(map[chan struct{}]struct{}),
	}
}

func (f *feed) publish(name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	if len(f.events) == eventLimit {
		copy(f.events, f.events[1:])
		f.events = f.events[:eventLimit-1]
	}
	f.events = append(f.events, event{f.last, name, data})
	for wake := range f.clients {
		select {
		case wake <- struct{}{}:
		default: // it has yet to notice the wake-up before this one
		}
	}
}

// join adds a client, which is to wait on the channel and leave when it goes.
func (f *feed) join() (chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errStopping
	}
	if len(f.clients) >= clientLimit {
		return nil, &problem{
			503, "too_many_streams", fmt.Sprintf("event stream: %d are open, which is the limit", clientLimit),
			"close a page, or ask the API at intervals instead",
		}
	}
	wake := make(chan struct{}, 1)
	f.clients[wake] = struct{}{}
	f.metrics.joined(1)
	return wake, nil
}

func (f *feed) leave(wake chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, wake)
	f.metrics.joined(-1)
}

// after returns the events that follow the place, and whether any between were
// lost.
func (f *feed) after(place uint64) (next []event, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if place >= f.last {
		return nil, false
	}
	missing := f.last - place
	if missing > uint64(len(f.events)) {
		return nil, true
	}
	return append(next, f.events[len(f.events)-int(missing):]...), false
}

// place finds where a client that last saw id stands, and whether that is
// still known. No id means now.
func (f *feed) place(id string) (place uint64, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id == "" {
		return f.last, true
	}
	epoch, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || epoch != f.epoch || n > f.last || f.last-n > uint64(len(f.events)) {
		return f.last, false
	}
	return n, true
}

func (f *feed) id(number uint64) string { return f.epoch + "-" + strconv.FormatUint(number, 10) }

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.closed = true
		close(f.done)
	}
}
