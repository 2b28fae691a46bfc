package app_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.test/eddy/internal/app"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/request"
)

// childData, if set, makes the test binary a server on that directory, so that
// tests can kill a real process. childMemory is its bound in MiB, and childStep
// how often it analyses.
const (
	childData   = "EDDY_TEST_DATA"
	childMemory = "EDDY_TEST_MEMORY"
	childStep   = "EDDY_TEST_STEP"
)

func TestMain(m *testing.M) {
	if order := os.Getenv(childCrowd); order != "" {
		if err := beCrowd(order); err != nil {
			fmt.Fprintln(os.Stderr, "crowd:", err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(childData); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is the child: a server that prints its addresses and stops on SIGTERM.
func serve(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o := options(dir)
	if mib, err := strconv.Atoi(os.Getenv(childMemory)); err == nil {
		o.Memory = int64(mib) << 20
	}
	if step, err := time.ParseDuration(os.Getenv(childStep)); err == nil {
		o.Step = step
	}
	o.LimitHeap()
	server, err := app.New(ctx, o, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	grpc, http := server.OTLP()
	fmt.Println("ready", server.URL(), grpc, http)
	return server.Run(ctx)
}

// options are those of a server on free ports that answers fast.
func options(dir string) app.Options {
	o := app.Options{
		Data: dir, Web: "127.0.0.1:0", Step: 500 * time.Millisecond, Drain: 10 * time.Second,
		Analysis: pipeline.Config{Request: request.Config{Quiet: 500 * time.Millisecond}},
	}
	o.Ingest.GRPC, o.Ingest.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	return o
}

// A child is a server in a process of its own.
type child struct {
	url, grpc, http string
	cmd             *exec.Cmd
}

// start runs a child on dir and waits until it is ready.
func start(t testing.TB, dir string, env ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self)}
	c.cmd.Env = append(append(os.Environ(), childData+"="+dir), env...)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it has ended already if the test passed
		_ = c.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child did not become ready: %v", err)
	}
	if _, err := fmt.Sscanf(strings.TrimSpace(line), "ready %s %s %s", &c.url, &c.grpc, &c.http); err != nil {
		t.Fatalf("child said %q: %v", line, err)
	}
	return c
}

// end stops the child with a signal and waits for it.
func (c *child) end(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	err := c.cmd.Wait()
	if sig != os.Kill && err != nil {
		t.Fatalf("child ended with %v, want status 0", err)
	}
}

// resident is the most memory that the child ever had, in bytes.
func (c *child) resident(t testing.TB) int64 {
	t.Helper()
	return c.memory(t, "VmHWM:")
}

// memory is a line of the child's memory in /proc, in bytes.
func (c *child) memory(t testing.TB, field string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in /proc/PID/status", field)
	return 0
}
