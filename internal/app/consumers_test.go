package app_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

// EDDY_CONSUMERS=1000 measures how long news takes to that many consumers of one
// server, over real HTTP and its etcd, and what that costs the server. Without it
// there are few of them, and only that all are told is tested.
func TestNewsReachesEveryConsumer(t *testing.T) {
	consumers, rounds := 10, 1
	if n, err := strconv.Atoi(os.Getenv("EDDY_CONSUMERS")); err == nil {
		consumers, rounds = n, 10
	}
	for _, pushes := range []bool{true, false} {
		t.Run(map[bool]string{true: "pushes", false: "lost"}[pushes], func(t *testing.T) {
			m := measure(t, consumers, rounds, pushes)
			t.Logf("%d consumers, pushes %v: %d announcements were believed after %s at the median, %s at most; the server used %.2f cores",
				consumers, pushes, rounds, m.delays[len(m.delays)/2].Round(time.Millisecond), m.delays[len(m.delays)-1].Round(time.Millisecond), m.cores)
		})
	}
}

// measurement is what one run shows: for each announcement and consumer the time
// until it was believed, sorted.
type measurement struct {
	delays []time.Duration
	cores  float64
}

func measure(t *testing.T, consumers, rounds int, pushes bool) measurement {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etcd"), 0o700); err != nil {
		t.Fatal(err)
	}
	server := start(t, dir, childStep+"=10s")
	text := strings.Replace(podContract, "KEY", base64.StdEncoding.EncodeToString(public), 1)
	for {
		response, err := http.Post(server.url+wire.PathContracts, "application/yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 3 * consumers, MaxIdleConns: 3 * consumers}
	dial := func(name string) *phase.Client {
		c, err := phase.Dial(phase.Config{
			URLs: []string{server.url}, Identity: name, Signers: []phase.Signer{{KeyID: "test", Key: private}},
			HTTP: &http.Client{Transport: lossy{transport, pushes}}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	news := make(chan arrival, consumers)
	var clients []*phase.Client
	var following sync.WaitGroup
	for i := range consumers {
		c := dial(fmt.Sprint("consumer", i))
		clients = append(clients, c)
		w, err := c.Watch(ctx, "pods", "cart/*", "router")
		if err != nil {
			t.Fatal(err)
		}
		following.Go(func() {
			for _, v := range w.Updates() {
				if !v.Known {
					continue
				}
				select {
				case news <- arrival{v.Key, time.Now()}:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	producer := dial("producer")
	var m measurement
	used, began := server.cpu(t), time.Now()
	for round := range rounds {
		key := fmt.Sprintf("cart/%d", round)
		p, err := producer.Producer(ctx, phase.Subject{Contract: "pods", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.To(ctx, "DRAIN")
		if err != nil {
			t.Fatal(err)
		}
		for told := 0; told < consumers; {
			select {
			case a := <-news:
				if a.key == key {
					told++
					m.delays = append(m.delays, a.at.Sub(r.Committed))
				}
			case <-ctx.Done():
				t.Fatalf("%d of %d consumers were told of %s", told, consumers, key)
			}
		}
		<-time.After(time.Duration(rounds-1) * 100 * time.Millisecond)
	}
	m.cores = (server.cpu(t) - used).Seconds() / time.Since(began).Seconds()
	slices.Sort(m.delays)
	stop() // what is believed anew from here on is nobody's business
	for _, c := range append(clients, producer) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	following.Wait()
	return m
}

// arrival is that a consumer believes something new.
type arrival struct {
	key string
	at  time.Time
}

// lossy loses the news, and nothing else, unless pushes is true.
type lossy struct {
	http.RoundTripper
	pushes bool
}

// RoundTrip implements http.RoundTripper.
func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if !l.pushes && r.URL.Path == wire.PathWatch {
		return nil, errors.Join(errors.New("the news is lost"), io.ErrUnexpectedEOF)
	}
	return l.RoundTripper.RoundTrip(r)
}

// cpu is the time of processors that the child has used.
func (c *child) cpu(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	// The name in parentheses may hold anything; times are the 14th and 15th field.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
