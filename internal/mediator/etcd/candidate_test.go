package etcd_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/fence"
)

// candidate is the other side of the leader experiment: a process that wants to
// lead all subjects, and writes while it does. It ends when its parent closes its
// standard input.
func candidate() int {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has gone
		stop()
	}()
	rate, err := strconv.ParseFloat(os.Getenv("EDDY_CLOCK_RATE"), 64)
	subjects, err2 := strconv.Atoi(os.Getenv("EDDY_SUBJECTS"))
	seed, err3 := strconv.ParseUint(os.Getenv("EDDY_SEED"), 10, 64)
	if err != nil || err2 != nil || err3 != nil {
		return 2
	}
	url := os.Getenv("EDDY_CANDIDATE")
	began := time.Now()
	client, err := phase.Dial(phase.Config{
		URLs: []string{url}, Identity: "candidate" + strconv.FormatUint(seed, 10), Signers: []phase.Signer{experimentKey()},
		Clock: func() time.Duration { return time.Duration(float64(time.Since(began)) * rate) },
		Log:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 2
	}
	var running sync.WaitGroup
	for i := range subjects {
		c := &contender{client: client, url: url, subject: fmt.Sprintf("cron/%d", i), random: rand.New(rand.NewPCG(seed, uint64(i)))}
		running.Go(func() { c.run(ctx) })
	}
	running.Wait()
	return 0
}

// experimentKey signs in the experiment.
func experimentKey() phase.Signer {
	return phase.Signer{KeyID: "test", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

// A contender wants to lead one subject.
type contender struct {
	client  *phase.Client
	url     string
	subject string
	random  *rand.Rand
}

// run campaigns, leads and writes, again and again.
func (c *contender) run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := c.client.Campaign(ctx, phase.Subject{Contract: "lease", Key: c.subject}, phase.LeaseOptions{Guard: remote{c}})
		if err != nil {
			c.sleep(ctx, 200*time.Millisecond)
			continue
		}
		_ = c.tell(ctx, "leads", lease.Token()) // who cannot say so leads all the same
		// Not to write at once leaves the hole open that a seal closes.
		c.sleep(ctx, time.Duration(c.random.Int64N(int64(2*time.Second))))
		for ctx.Err() == nil && lease.Context().Err() == nil {
			_ = lease.Do(ctx, func(ctx context.Context, t fence.Token) error { return c.tell(ctx, "write", t) })
			c.sleep(lease.Context(), time.Duration(100+c.random.IntN(400))*time.Millisecond)
		}
	}
}

// remote is the guard before the store, which is in the parent and checks the
// token with each write itself.
type remote struct{ c *contender }

func (r remote) Seal(ctx context.Context, _ string, t fence.Token) error {
	return r.c.tell(ctx, "seal", t)
}

func (r remote) Do(ctx context.Context, _ string, _ fence.Token, write func(context.Context) error) error {
	return write(ctx)
}

// tell asks the store to do something with a token.
func (c *contender) tell(ctx context.Context, what string, t fence.Token) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/store/"+what, http.NoBody)
	if err != nil {
		return err
	}
	fence.SetHeader(r.Header, c.subject, t)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusConflict {
		return &fence.StaleError{Subject: c.subject, Token: t}
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("store: %s", response.Status)
	}
	return nil
}

func (c *contender) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
