// Package demo is a shop of real services on loopback, under load, with a
// twist.
//
// Gateway, cart, pricing, inventory and payments run as HTTP servers, several
// instances each, on ports of their own; payments keeps its orders in SQLite.
// They are instrumented with the OpenTelemetry SDK the way users do it and
// export over OTLP. Customers send them requests, while a Story's script rolls
// out versions, turns flags and runs a job. Whatever fails, fails because of
// what the services do with each other's messages: no code asks which story is
// played.
//
// A Seed decides prices, customers, shares, and which instances a rollout
// reaches; each component draws from a source of its own. Real sockets and
// real time take part, so two runs with one seed tell the same story with the
// same kinds of numbers, not with the same counts.
//
// A Shop's methods are safe for concurrent use. Nothing waits for Eddy: if it
// is not there or slow, the SDK drops spans, change events are given up after
// a few seconds, both are counted in Stats, and the shop goes on.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// closeWithin bounds how long an instance may take to finish its requests, and
// then to export.
const closeWithin = 3 * time.Second

// Config says which shop to open. The zero value of each field is usable,
// except for the two addresses.
type Config struct {
	// Story is a name from Stories; empty means the first.
	Story string
	// Seed decides everything that is left to chance.
	Seed uint64
	// OTLPEndpoint is where spans, logs and metrics go: "127.0.0.1:4317", gRPC
	// without TLS.
	OTLPEndpoint string
	// ChangesURL is where change events are posted:
	// "http://127.0.0.1:7080/api/v1/changes". Empty means that none are sent.
	ChangesURL string
	// Rate is requests per second; 0 means 80. A shop that cannot keep up makes
	// customers wait.
	Rate float64
	// Pace is the length of a beat of the script; 0 means a second. The shop is
	// calm for 7 beats, and its trouble is complete at beat 12.
	Pace time.Duration
	// Dir holds the orders database; empty means a directory that is removed
	// when the shop closes.
	Dir string
	// Log gets a line for each thing that happens; nil means none.
	Log io.Writer
	// Logger gets what went wrong with the shop itself; nil means none.
	Logger *slog.Logger
}

// withDefaults checks c and fills in what it leaves open.
func (c Config) withDefaults() (Config, error) {
	if c.OTLPEndpoint == "" {
		return c, errors.New("shop: OTLPEndpoint is empty: want host:port of an OTLP gRPC receiver")
	}
	if c.Rate < 0 || c.Rate > 10_000 {
		return c, fmt.Errorf("shop: Rate %v: want 0 to 10000 requests per second", c.Rate)
	}
	if c.Pace < 0 {
		return c, fmt.Errorf("shop: Pace %v: want a positive duration, or 0 for a second", c.Pace)
	}
	if c.Rate == 0 {
		c.Rate = 80
	}
	if c.Pace == 0 {
		c.Pace = time.Second
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// A Shop is open from Start until Close, or until the context of Start ends.
type Shop struct {
	cfg    Config
	story  Story
	logger *slog.Logger
	plan   plan
	opened time.Time
	ledger string // path of the orders database
	scrap  string // directory to remove at the end, may be empty

	directory *directory
	flags     *flags
	stock     *stockroom
	patience  map[string]*patience // by service
	load      *load
	reporter  *reporter
	lost      loss
	// instances are the rows of each service. Only the goroutine that opens,
	// plays and closes the shop touches them.
	instances map[string][]*instance
	retired   sync.WaitGroup // instances that were replaced and are still closing

	stop    context.CancelFunc
	trouble chan struct{}
	done    chan struct{}
	err     error // valid when done is closed

	narration sync.Mutex // guards writes to cfg.Log
}

// Start opens the shop: its instances serve when Start returns, and its load
// and script run until ctx ends or Close is called.
func Start(ctx context.Context, c Config) (*Shop, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	story, err := named(c.Story)
	if err != nil {
		return nil, err
	}
	s := &Shop{
		cfg:       c,
		story:     story,
		logger:    c.Logger,
		plan:      newPlan(c.Seed, story.services),
		directory: newDirectory(newDice(c.Seed, "directory")),
		flags:     newFlags(story.mute),
		stock:     newStockroom(),
		lost:      loss{logger: c.Logger},
		patience:  make(map[string]*patience),
		instances: make(map[string][]*instance),
		trouble:   make(chan struct{}),
		done:      make(chan struct{}),
	}
	for _, svc := range story.services {
		s.patience[svc.name] = newPatience()
	}
	s.load = newLoad(c, s.plan, s.directory)
	s.reporter = newReporter(c.ChangesURL, c.Logger, s.say)
	if err := s.openShop(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open shop: %w", err), s.closeShop(ctx))
	}
	s.opened = time.Now()
	run, stop := context.WithCancel(ctx)
	s.stop = stop
	go s.run(run)
	return s, nil
}

// openShop creates the orders database and starts all instances.
func (s *Shop) openShop(ctx context.Context) error {
	dir := s.cfg.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "eddy-shop-"); err != nil {
			return err
		}
		s.scrap = dir
	}
	s.ledger = filepath.Join(dir, "orders.db")
	if err := createLedger(ctx, s.ledger); err != nil {
		return err
	}
	for _, svc := range s.story.services {
		for i := range svc.replicas {
			in, err := s.listen(ctx, svc, svc.name+"-"+strconv.Itoa(i+1), svc.version)
			if err != nil {
				return err
			}
			s.instances[svc.name] = append(s.instances[svc.name], in)
			s.directory.replace(svc.name, "", in.address)
		}
	}
	return nil
}

// run owns all that goes on in an open shop, and closes it.
func (s *Shop) run(ctx context.Context) {
	defer close(s.done)
	defer s.stop()
	for _, svc := range s.story.services {
		s.say("%s %s opens with %d instances", svc.name, svc.version, svc.replicas)
	}
	var others sync.WaitGroup
	others.Go(func() { s.load.run(ctx) })
	others.Go(func() { s.reporter.run(ctx) })
	others.Go(func() { s.tally(ctx) })
	if err := s.perform(ctx, s.story.script(s)); err != nil {
		s.err = fmt.Errorf("story %s: %w", s.story.Name, err)
		s.say("the story cannot go on: %v", err)
		s.stop()
	}
	<-ctx.Done()
	others.Wait()
	s.retired.Wait()
	s.err = errors.Join(s.err, s.closeShop(ctx))
	s.say("the shop is closed")
}

// tally tells every ten beats what customers saw.
func (s *Shop) tally(ctx context.Context) {
	t := time.NewTicker(10 * s.cfg.Pace)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			now := s.Stats()
			s.say("%d requests so far, %d failed", now.Requests, now.Failures)
		}
	}
}

// closeShop stops the servers, callers before those they call, then exports
// what is left of all of them, and removes what the shop made for itself.
func (s *Shop) closeShop(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	s.directory.closeIdle()
	var (
		failed []error
		all    []*instance
	)
	for _, svc := range slices.Backward(s.story.services) {
		failed = append(failed, each(s.instances[svc.name], func(in *instance) error { return in.stop(ctx) }))
		all = append(all, s.instances[svc.name]...)
	}
	failed = append(failed, each(all, func(in *instance) error { return in.close(ctx) }))
	if s.scrap != "" {
		failed = append(failed, os.RemoveAll(s.scrap))
	}
	return errors.Join(failed...)
}

// each does the same to all instances at the same time.
func each(list []*instance, do func(*instance) error) error {
	failed := make([]error, len(list))
	var all sync.WaitGroup
	for i, in := range list {
		all.Go(func() {
			if err := do(in); err != nil {
				failed[i] = fmt.Errorf("close %s: %w", in.instance, err)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// say writes one line of the transcript: the time since the opening, and what
// happened.
func (s *Shop) say(format string, args ...any) {
	since := time.Since(s.opened).Truncate(time.Second)
	s.narration.Lock()
	defer s.narration.Unlock()
	// A transcript that cannot be written is no reason to close the shop.
	_, _ = fmt.Fprintf(s.cfg.Log, "%02d:%02d %s\n", int(since.Minutes()), int(since.Seconds())%60, fmt.Sprintf(format, args...))
}

// Story is the story that is played.
func (s *Shop) Story() Story { return s.story }

// Opened is when the shop's load began.
func (s *Shop) Opened() time.Time { return s.opened }

// Trouble is closed when all that the failures need is in force.
func (s *Shop) Trouble() <-chan struct{} { return s.trouble }

// Done is closed when the shop has closed: its load has ended, its telemetry
// is exported as far as it could be, and its servers and files are gone.
func (s *Shop) Done() <-chan struct{} { return s.done }

// Wait waits until the shop has closed, and returns what went wrong.
func (s *Shop) Wait() error {
	<-s.done
	return s.err
}

// Close ends the load, exports what is left, stops the servers, and waits for
// all that, or for ctx. It may be called more than once.
func (s *Shop) Close(ctx context.Context) error {
	s.stop()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats is what customers have seen so far.
func (s *Shop) Stats() Stats {
	return Stats{
		Requests:    s.load.requests.Load(),
		Failures:    s.load.failures.Load(),
		LostExports: s.lost.exports.Load(),
		LostChanges: s.reporter.lost.Load(),
	}
}
