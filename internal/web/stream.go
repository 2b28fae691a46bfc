package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// beat is how often a silent stream gets a comment, so that proxies keep it
	// open and a client that left is noticed.
	beat = 15 * time.Second
	// writeTime is how long a client may take to accept what it is sent.
	writeTime = 10 * time.Second
)

// streamEvents answers GET /api/v1/events.
//
// The first event is "ready", or "reset" if the events since Last-Event-ID are
// no longer kept. A client that falls more than eventLimit events behind gets
// "reset" and the stream ends; one that does not read for writeTime is cut
// off. Both may connect again at once.
func (s *Server) streamEvents(w http.ResponseWriter, r *http.Request) error {
	wake, err := s.feed.join()
	if err != nil {
		return err
	}
	defer s.feed.leave(wake)
	out := sink{w: w, control: http.NewResponseController(w), feed: s.feed}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")

	place, known := s.feed.place(r.Header.Get("Last-Event-ID"))
	greeting := eventReady
	if !known {
		greeting = eventReset
		s.metrics.reset()
	}
	out.write("retry: 2000\n")
	out.event(event{place, greeting, []byte("{}")})
	out.flush()
	silent := time.NewTicker(beat)
	defer silent.Stop()
	for out.err == nil {
		next, lost := s.feed.after(place)
		if lost {
			place, _ = s.feed.place("")
			out.event(event{place, eventReset, []byte("{}")})
			out.flush()
			s.metrics.reset()
			return nil
		}
		for _, e := range next {
			out.event(e)
			place = e.number
		}
		if len(next) > 0 {
			out.flush()
			continue
		}
		select {
		case <-wake:
		case <-silent.C:
			out.write(": still here\n\n")
			out.flush()
		case <-r.Context().Done():
			return nil
		case <-s.feed.done:
			return nil
		}
	}
	// The client went away, or was too slow; either way there is nobody to tell.
	return nil
}

// A sink writes events until the first error.
type sink struct {
	w       http.ResponseWriter
	control *http.ResponseController
	feed    *feed
	err     error
}

func (o *sink) event(e event) {
	o.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", o.feed.id(e.number), e.name, e.data))
}

func (o *sink) write(text string) {
	if o.err != nil {
		return
	}
	// A writer without deadlines, as in tests, is one that does not block.
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		o.err = err
		return
	}
	_, o.err = o.w.Write([]byte(text))
}

func (o *sink) flush() {
	if o.err == nil {
		o.err = o.control.Flush()
	}
}
