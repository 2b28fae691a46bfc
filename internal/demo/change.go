package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"example.test/eddy/internal/telemetry"
)

// Bounds of the reporter: how many changes may wait, and how often one is
// tried. The waits between tries double from the first and sum to 6.2 s.
const (
	changesWaiting = 64
	changeTries    = 6
	changeFirst    = 200 * time.Millisecond
)

// A reporter sends change events to Eddy, one at a time and in order. It tells
// of each that it gave up; when too many wait, the newest is given up at once.
type reporter struct {
	url    string
	logger *slog.Logger
	queue  chan message
	client *http.Client
	// say narrates what could not be reported.
	say  func(format string, args ...any)
	lost atomic.Uint64
}

// A message is a change in the form in which it is sent.
type message struct {
	mediaType string
	body      any
	about     string
}

func newReporter(url string, logger *slog.Logger, say func(string, ...any)) *reporter {
	return &reporter{
		url:    url,
		logger: logger,
		queue:  make(chan message, changesWaiting),
		client: &http.Client{Transport: &http.Transport{MaxIdleConns: 1}, Timeout: 2 * time.Second},
		say:    say,
	}
}

// report queues a change in Eddy's own JSON.
func (p *reporter) report(c telemetry.Change) {
	c.ID = "shop-" + strconv.FormatInt(c.Time.UnixNano(), 36)
	c.Origin, c.Source = telemetry.OriginReported, "shop"
	p.enqueue(message{"application/json", c, c.Entity + " " + c.Dimension})
}

// upgraded queues a deployment as a CDEvent in a structured CloudEvent, which
// is how delivery tools tell of one.
func (p *reporter) upgraded(at time.Time, service, version string) {
	id := "shop-" + strconv.FormatInt(at.UnixNano(), 36)
	const kind = "dev.cdevents.service.upgraded.0.2.0"
	p.enqueue(message{"application/cloudevents+json", map[string]any{
		"specversion":     "1.0",
		"id":              id,
		"source":          "/shop/delivery",
		"type":            kind,
		"subject":         service,
		"time":            at.Format(time.RFC3339Nano),
		"datacontenttype": "application/json",
		"data": map[string]any{
			"context": map[string]any{
				"version":   "0.4.1",
				"id":        id,
				"source":    "/shop/delivery",
				"type":      kind,
				"timestamp": at.Format(time.RFC3339Nano),
			},
			"subject": map[string]any{
				"id":   service,
				"type": "service",
				"content": map[string]any{
					"environment": map[string]any{"id": "demo"},
					"artifactId":  "pkg:generic/" + service + "@" + version,
				},
			},
		},
	}, service + " service.version"})
}

func (p *reporter) enqueue(m message) {
	if p.url == "" {
		return
	}
	select {
	case p.queue <- m:
	default:
		p.lose(m, fmt.Errorf("%d changes wait already", changesWaiting))
	}
}

// run sends what is queued until ctx ends.
func (p *reporter) run(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-p.queue:
			if err := p.send(ctx, m); err != nil && ctx.Err() == nil {
				p.lose(m, err)
			}
		}
	}
}

func (p *reporter) lose(m message, err error) {
	p.lost.Add(1)
	p.say("change of %s could not be reported: %v", m.about, err)
	p.logger.Warn("change not reported", "change", m.about, "error", err)
}

// send tries until the change is accepted, refused for what it is, or the
// tries are used up.
func (p *reporter) send(ctx context.Context, m message) error {
	body, err := json.Marshal(m.body)
	if err != nil {
		return err
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	pause := changeFirst
	for range changeTries {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
		}
		var again bool
		if again, err = p.post(ctx, m.mediaType, body); !again {
			return err
		}
		wait.Reset(pause)
		pause *= 2
	}
	return err
}

// post reports whether to try again.
func (p *reporter) post(ctx context.Context, mediaType string, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", mediaType)
	res, err := p.client.Do(r)
	if err != nil {
		return true, err
	}
	defer func() { _ = res.Body.Close() }()
	reply, _ := io.ReadAll(io.LimitReader(res.Body, 300)) // for the message only
	if res.StatusCode < http.StatusMultipleChoices {
		return false, nil
	}
	again = res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusTooManyRequests
	return again, fmt.Errorf("%s answered %s: %s", p.url, res.Status, bytes.TrimSpace(reply))
}
