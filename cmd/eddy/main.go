// Command eddy finds the failures that no single component causes.
//
// Run "eddy --help" for the verbs, and "eddy VERB --help" for one of them with
// examples. Exit status: 0 done; 1 the answer is no, as when a check found a
// violation; 2 the command line or an input is wrong; 130 interrupted before
// there was an answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// stdio is where a command reads and writes, so that tests can hold all of it.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// errNo is returned by a command whose answer is no. It has said why already.
var errNo = errors.New("the answer is no")

// commands are the verbs, in the order in which help lists them.
type commands struct {
	Demo      demoCmd      `cmd:"" help:"Play a story in a shop of real services, and name what went wrong."`
	Serve     serveCmd     `cmd:"" help:"Receive telemetry and changes, analyse them, show what was found."`
	Explain   explainCmd   `cmd:"" help:"Find the conditions that explain failures in a table: CSV, TSV, JSON lines, Parquet."`
	Reproduce reproduceCmd `cmd:"" help:"Make a finding again in the simulator: confirmed, or refuted."`
	Sim       simCmd       `cmd:"" help:"Carry out systems in virtual time, with known truth."`
	Replay    replayCmd    `cmd:"" help:"Carry recorded OTLP and changes through the pipeline on their own clock."`
	Incidents incidentsCmd `cmd:"" help:"List the incidents of a running server."`
	Show      showCmd      `cmd:"" help:"Show one incident of a running server."`
	Phase     phaseCmd     `cmd:"" help:"Phases: contracts checked; who is in which, announced, drained, watched, audited."`
	Version   versionCmd   `cmd:"" help:"Print the version and how it was built."`
}

func main() { os.Exit(run()) }

// run is main with an exit status, so that tests can call it in a process of
// their own.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once: what was accepted is in the journal
	return execute(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
}

// execute parses args, runs the command they name and returns the exit status.
func execute(ctx context.Context, args []string, std stdio) int {
	var c commands
	status := -1
	parser, err := kong.New(&c,
		kong.Name("eddy"),
		kong.Description("Eddy finds the failures that no single component causes: it names the combination of conditions that explains them."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { status = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		panic("BUG: command line: " + err.Error())
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if status >= 0 { // help was asked for and printed
		return status
	}
	if err != nil {
		fmt.Fprintf(std.err, "eddy: %v; try 'eddy --help'\n", err)
		return 2
	}
	switch err := parsed.Run(); {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(std.err, "eddy: interrupted")
		return 130
	default:
		fmt.Fprintf(std.err, "eddy: %v\n", err)
		return 2
	}
}

// versionCmd prints what this binary is.
type versionCmd struct{}

// Run prints the module version, the revision and the Go version.
func (versionCmd) Run(std stdio) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("version: this binary carries no build information")
	}
	revision := "unknown revision"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	_, err := fmt.Fprintf(std.out, "eddy %s (%s, %s)\n", info.Main.Version, revision, info.GoVersion)
	return err
}
