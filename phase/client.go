package phase

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

const (
	maxSubjects = 100_000
	// maxAnswer bounds what is read of an answer of the mediator, and askTime how
	// long one of its replicas may take.
	maxAnswer = 64 << 20
	askTime   = 5 * time.Second
)

// Config is what a Client needs. Only URLs is required.
type Config struct {
	// URLs are the addresses of the mediator's replicas, as
	// http://127.0.0.1:7080. They are asked in turn until one answers.
	URLs []string
	// Token is shown to them, if they want one.
	Token string
	// Identity names this process among the consumers of a role, and among the
	// candidates for a lease, for people: it need not be unique. Default: host name
	// and process.
	Identity string
	// Signers sign announcements; consumers need none.
	Signers []Signer
	// StateDir keeps what was believed last, so that after a restart it is known
	// what to use in panic mode. "" keeps nothing.
	StateDir string
	// HTTP asks the mediator; default http.DefaultClient.
	HTTP *http.Client
	// Clock is the time that beliefs and leases are measured by; it must also go on
	// while the machine sleeps. Default: CLOCK_BOOTTIME on Linux, else the
	// monotonic clock.
	Clock func() time.Duration
	// MeterProvider and LoggerProvider get counters and events; the defaults are
	// the global ones. Attributes go on the spans that are in the contexts.
	MeterProvider  metric.MeterProvider
	LoggerProvider log.LoggerProvider
	// Log gets what went wrong; default slog.Default.
	Log *slog.Logger
}

// A Client speaks to the mediator for the producers, watches and leases of one
// process.
type Client struct {
	config  Config
	cluster string
	signals *signals

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup
	turn atomic.Uint64 // which URL answered last

	mu        sync.Mutex
	contracts map[string]*contract.Contract
}

// Dial returns a client. It asks nothing yet, so that a process can start while
// the mediator is away.
func Dial(c Config) (*Client, error) {
	if len(c.URLs) == 0 {
		return nil, errors.New("phase: no URL of a mediator is given")
	}
	for _, u := range c.URLs {
		if p, err := url.Parse(u); err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https" {
			return nil, fmt.Errorf("phase: URL %q: want an address such as http://127.0.0.1:7080", u)
		}
	}
	c.Identity = cmp.Or(c.Identity, identity())
	c.HTTP = cmp.Or(c.HTTP, http.DefaultClient)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Clock == nil {
		c.Clock = bootTime
	}
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.LoggerProvider == nil {
		c.LoggerProvider = otel.GetLoggerProvider()
	}
	s, err := newSignals(c)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Client{config: c, signals: s, ctx: ctx, stop: stop, contracts: make(map[string]*contract.Contract)}, nil
}

// Close ends what the client began, watches first, and waits for it. Leases are
// not resigned; see Lease.Resign.
func (c *Client) Close() error {
	c.stop()
	c.work.Wait()
	return nil
}

// identity names this process.
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// unique is the identity with a part that no other has, nor had.
func (c *Client) unique() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	return c.config.Identity + "/" + hex.EncodeToString(random[:])
}

// Contract returns the current version of a contract. It is asked for once, and
// again when an announcement is refused because there is a newer one.
func (c *Client) Contract(ctx context.Context, name string) (*contract.Contract, error) {
	c.mu.Lock()
	known := c.contracts[name]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	return c.fetchContract(ctx, name)
}

// fetchContract asks for a contract, and for the name of the cluster with it.
func (c *Client) fetchContract(ctx context.Context, name string) (*contract.Contract, error) {
	text, header, err := c.ask(ctx, http.MethodGet, wire.PathContracts+"/"+url.PathEscape(name), nil)
	if err != nil {
		return nil, fmt.Errorf("contract %s: %w", name, err)
	}
	parsed, err := contract.Parse(name, text)
	if err != nil {
		return nil, fmt.Errorf("contract %s of the mediator: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.contracts[name], c.cluster = parsed, header.Get("Eddy-Cluster")
	return parsed, nil
}

// audience is the name of the mediator's cluster.
func (c *Client) audience() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cluster
}

// post asks with a JSON body and decodes the answer. What newer mediators add to
// it is ignored.
func (c *Client) post(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("question to the mediator: %w", err)
	}
	text, _, err := c.ask(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("answer of the mediator to %s: %w", path, err)
	}
	return nil
}

// get asks and decodes the answer.
func (c *Client) get(ctx context.Context, path string, answer any) error {
	text, _, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("answer of the mediator to %s: %w", path, err)
	}
	return nil
}

// ask sends a question to the replicas in turn, beginning with the one that
// answered last, until one gives an answer that another could not better.
func (c *Client) ask(ctx context.Context, method, path string, body []byte) ([]byte, http.Header, error) {
	first := c.turn.Load()
	var errs []error
	for i := range uint64(len(c.config.URLs)) {
		at := (first + i) % uint64(len(c.config.URLs))
		text, header, err := c.askOne(ctx, method, c.config.URLs[at]+path, body)
		if err == nil || !elsewhere(err) {
			c.turn.Store(at)
			return text, header, err
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, nil, errors.Join(errs...)
}

func (c *Client) askOne(ctx context.Context, method, target string, body []byte) ([]byte, http.Header, error) {
	ctx, stop := context.WithTimeout(ctx, askTime)
	defer stop()
	r, err := c.request(ctx, method, target, body)
	if err != nil {
		return nil, nil, err
	}
	response, err := c.config.HTTP.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, nil, refused(response, text)
	}
	return text, response.Header, nil
}

// request makes a request to the mediator.
func (c *Client) request(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.config.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	return r, nil
}

// refused reads why the mediator refused.
func refused(response *http.Response, text []byte) error {
	var answer struct {
		Error *wire.Error `json:"error"`
	}
	if json.Unmarshal(text, &answer) == nil && answer.Error != nil {
		return answer.Error
	}
	return fmt.Errorf("%s: %s", response.Request.URL.Host, response.Status)
}

// elsewhere reports whether another replica may know better.
func elsewhere(err error) bool {
	why, ok := errors.AsType[*wire.Error](err)
	return !ok || why.Code == wire.CodeNotActive || why.Code == wire.CodeUnavailable
}

// sleep waits, and reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
