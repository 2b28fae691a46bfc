package app_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
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

// childCrowd, if set, makes the test binary consumers of a server: its URL, how
// many, and whether news reaches them. They print what they believe, and when.
const childCrowd = "EDDY_TEST_CROWD"

// EDDY_CONSUMERS=1000 measures how long news takes to that many consumers of one
// server, over real HTTP and its etcd, and what that costs the server. Most of
// them are one process, in which each waits for the others; a few have one of
// their own, as all would have. Without it there are few, and only that all are
// told is tested.
func TestNewsReachesEveryConsumer(t *testing.T) {
	crowd, apart, rounds := 0, 10, 1
	if n, err := strconv.Atoi(os.Getenv("EDDY_CONSUMERS")); err == nil {
		apart, rounds = min(n, 50), 20
		crowd = n - apart
	}
	for _, pushes := range []bool{true, false} {
		t.Run(map[bool]string{true: "pushes", false: "lost"}[pushes], func(t *testing.T) {
			m := measureNews(t, crowd, apart, rounds, pushes)
			t.Logf("%d announcements to %d consumers, of which %d share a process", rounds, crowd+apart, crowd)
			t.Logf("the %d apart: %s", apart, m.apart)
			t.Logf("the %d in one process: %s", crowd, m.crowd)
			t.Logf("cores: server %.2f, the %d in one process %.2f, the rest of the test %.2f, all else on the machine %.2f",
				m.server, crowd, m.shared, m.self, m.others)
			if pushes {
				t.Logf("written by the server to each stream after: %s", m.written)
			}
		})
	}
}

// newsTimes is what one run shows.
type newsTimes struct {
	apart, crowd                 delays
	server, shared, self, others float64 // cores
	written                      string
}

// delays are the times from a commit until it was believed, for each
// announcement and consumer.
type delays [][]time.Duration

// String tells the median of all, and of the last of each announcement.
func (d delays) String() string {
	var all, last []time.Duration
	for _, round := range d {
		if len(round) == 0 {
			continue
		}
		all = append(all, round...)
		last = append(last, slices.Max(round))
	}
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	slices.Sort(last)
	return fmt.Sprintf("half believe it after %d ms, 99 %% after %d ms; the last after %d ms at the median and %d ms at most",
		all[len(all)/2].Milliseconds(), all[len(all)*99/100].Milliseconds(), last[len(last)/2].Milliseconds(), last[len(last)-1].Milliseconds())
}

func measureNews(t *testing.T, crowd, apart, rounds int, pushes bool) newsTimes {
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
	useContract(t, server.url, strings.Replace(podContract, "KEY", base64.StdEncoding.EncodeToString(public), 1))
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	shared := startCrowd(t, server.url, crowd, pushes)
	news, end := consume(ctx, t.Fatal, server.url, apart, pushes)
	defer end()
	if rounds > 1 {
		<-time.After(time.Second) // all are registered, and none is about to be
	}
	client, err := phase.Dial(phase.Config{URLs: []string{server.url}, Identity: "producer", Signers: []phase.Signer{{KeyID: "test", Key: private}}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var m newsTimes
	before, began := used(t, server, shared), time.Now()
	for round := range rounds {
		key := fmt.Sprintf("cart/%d", round)
		p, err := client.Producer(ctx, phase.Subject{Contract: "pods", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.To(ctx, "DRAIN")
		if err != nil {
			t.Fatal(err)
		}
		m.apart = append(m.apart, arrivals(ctx, t, news, apart, key, r.Committed))
		m.crowd = append(m.crowd, arrivals(ctx, t, shared.news, crowd, key, r.Committed))
		<-time.After(time.Duration(rounds-1) * 25 * time.Millisecond)
	}
	after, took := used(t, server, shared), time.Since(began).Seconds()
	m.server, m.shared, m.self = (after.server-before.server)/took, (after.shared-before.shared)/took, (after.self-before.self)/took
	m.others = (after.machine-before.machine)/took - m.server - m.shared - m.self
	m.written = written(t, server.url)
	return m
}

// arrivals waits until n consumers believe in the news of a key, and returns how
// long after its commit each did.
func arrivals(ctx context.Context, t *testing.T, news <-chan arrival, n int, key string, committed time.Time) []time.Duration {
	t.Helper()
	var list []time.Duration
	for len(list) < n {
		select {
		case a := <-news:
			if a.key == key {
				list = append(list, a.at.Sub(committed))
			}
		case <-ctx.Done():
			t.Fatalf("%d of %d consumers were told of %s", len(list), n, key)
		}
	}
	return list
}

// useContract puts a contract in use.
func useContract(t *testing.T, url, text string) {
	t.Helper()
	for {
		response, err := http.Post(url+wire.PathContracts, "application/yaml", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

// arrival is that a consumer believes something new.
type arrival struct {
	key string
	at  time.Time
}

// consume starts n consumers and returns what they come to believe, and what ends
// them. fail is called with what goes wrong.
func consume(ctx context.Context, fail func(...any), url string, n int, pushes bool) (news <-chan arrival, end func()) {
	ctx, stop := context.WithCancel(ctx)
	transport := &http.Transport{MaxIdleConnsPerHost: 3 * n, MaxIdleConns: 3 * n}
	arrived := make(chan arrival, n)
	clients := make([]*phase.Client, n)
	var starting, following sync.WaitGroup
	turn := make(chan struct{}, 8)
	for i := range n {
		c, err := phase.Dial(phase.Config{
			URLs: []string{url}, Identity: fmt.Sprint("consumer", i),
			HTTP: &http.Client{Transport: lossy{transport, pushes}}, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			fail(err)
		}
		clients[i] = c
		starting.Go(func() {
			turn <- struct{}{}
			w, err := c.Watch(ctx, "pods", "cart/*", "router")
			<-turn
			if err != nil {
				fail(err)
				return
			}
			following.Go(func() {
				for _, v := range w.Updates() {
					if !v.Known {
						continue
					}
					select {
					case arrived <- arrival{v.Key, time.Now()}:
					case <-ctx.Done():
						return
					}
				}
			})
		})
	}
	starting.Wait()
	return arrived, func() {
		stop() // what is believed anew from here on is nobody's business
		for _, c := range clients {
			_ = c.Close() // it never fails
		}
		following.Wait()
	}
}

// beCrowd is the process of childCrowd.
func beCrowd(order string) error {
	var url string
	var n int
	var pushes bool
	if _, err := fmt.Sscan(order, &url, &n, &pushes); err != nil {
		return err
	}
	var fault error
	news, _ := consume(context.Background(), func(what ...any) { fault = errors.New(fmt.Sprint(what...)) }, url, n, pushes)
	if fault != nil {
		return fault
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "ready", 0)
	for {
		if err := out.Flush(); err != nil {
			return err
		}
		a := <-news
		fmt.Fprintln(out, a.key, a.at.UnixNano())
	}
}

// A crowd is a process full of consumers; nil has none.
type crowd struct {
	news chan arrival
	pid  int
}

// startCrowd starts a crowd and waits until it watches.
func startCrowd(t *testing.T, url string, n int, pushes bool) *crowd {
	t.Helper()
	c := &crowd{news: make(chan arrival, n)}
	if n == 0 {
		return c
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %v", childCrowd, url, n, pushes))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it does not end by itself
		_ = cmd.Wait()
	})
	c.pid = cmd.Process.Pid
	go func() {
		defer close(c.news)
		for {
			var key string
			var at int64
			if _, err := fmt.Fscanln(out, &key, &at); err != nil {
				return
			}
			c.news <- arrival{key, time.Unix(0, at)}
		}
	}()
	if a := <-c.news; a.key != "ready" {
		t.Fatal("the crowd did not become ready")
	}
	return c
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

// seconds are those of processors that were used until now.
type seconds struct{ server, shared, self, machine float64 }

func used(t *testing.T, server *child, shared *crowd) seconds {
	t.Helper()
	s := seconds{server: cpu(t, server.cmd.Process.Pid), self: cpu(t, os.Getpid()), machine: machine(t)}
	if shared.pid != 0 {
		s.shared = cpu(t, shared.pid)
	}
	return s
}

// ticksPerSecond is in what /proc counts.
const ticksPerSecond = 100

// cpu is the time of processors that a process has used, in seconds.
func cpu(t *testing.T, pid int) float64 {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	// The name in parentheses may hold anything; times are the 14th and 15th field.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return ticks(t, fields[11:13])
}

// machine is the time of processors that everybody has used, in seconds.
func machine(t *testing.T) float64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	first, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(first)
	return ticks(t, append(fields[1:4:4], fields[6:8]...)) // without idle and iowait
}

func ticks(t *testing.T, fields []string) float64 {
	t.Helper()
	var sum int64
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return float64(sum) / ticksPerSecond
}

// written says within which time the server had written how much of its news, as
// its histogram tells.
func written(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var total float64
	within := map[float64]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		var bound, count float64
		if n, _ := fmt.Sscanf(lines.Text(), `eddy_phase_news_seconds_bucket{le="%g"} %g`, &bound, &count); n == 2 {
			within[bound] = count
		}
		_, _ = fmt.Sscanf(lines.Text(), `eddy_phase_news_seconds_count %g`, &total) // another line is none
	}
	var text []string
	for _, share := range []float64{0.5, 0.99, 1} {
		for _, bound := range slices.Sorted(maps.Keys(within)) {
			if within[bound] >= share*total {
				text = append(text, fmt.Sprintf("%.0f %% within %.0f ms", 100*share, 1000*bound))
				break
			}
		}
	}
	return strings.Join(text, ", ")
}
