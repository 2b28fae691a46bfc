// Command drain counts the requests that a server loses when it is told to stop.
//
// Two servers stand behind a router, which learns 100 ms late that one of them
// is to stop, as balancers do. Workers post to the router's choice over
// connections that are kept alive. Then the first server stops, in one of four
// ways: with http.Server.Shutdown at once, as most programs do; after 50 ms, and
// after 150 ms, in which it says that it is not ready; and with
// phase.Producer.ServeAndDrain. All of it is real HTTP on loopback, in this one
// process, and no request is retried.
//
//	go run ./examples/drain
//	go run ./examples/drain -runs 1 -workers 8
//
// It ends with status 1 if the last way lost a request.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("drain", flag.ContinueOnError)
	flags.SetOutput(errs)
	runs := flags.Int("runs", 10, "how often each way is tried, 1 to 100")
	workers := flags.Int("workers", 32, "how many post at the same time, 1 to 256")
	lag := flags.Duration("lag", 100*time.Millisecond, "how late the router learns, up to 200ms")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *runs < 1 || *runs > 100 || *workers < 1 || *workers > 256 || *lag < 0 || *lag > 200*time.Millisecond {
		fmt.Fprintln(errs, "drain: -runs, -workers or -lag is out of its range; see -help")
		return 2
	}
	f, err := newFleet(ctx, *workers, *lag)
	if err != nil {
		fmt.Fprintln(errs, "drain:", err)
		return 2
	}
	defer f.close()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "how the server stops\truns\trequests\tfailed\n")
	lost := 0
	for _, w := range ways(*lag) {
		var total tally
		for range *runs {
			t, err := f.try(ctx, w)
			if err != nil {
				fmt.Fprintln(errs, "drain:", err)
				return 2
			}
			total.sent += t.sent
			total.failed += t.failed
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", w.name, *runs, total.sent, total.failed)
		lost = total.failed
	}
	if err := table.Flush(); err != nil {
		return 2
	}
	if lost > 0 {
		return 1
	}
	return 0
}
