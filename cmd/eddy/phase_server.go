package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

// phaseServerCmds are the verbs about the phases of a running server.
type phaseServerCmds struct {
	Use      phaseUseCmd      `cmd:"" help:"Put a contract in use on a running server."`
	Status   phaseStatusCmd   `cmd:"" help:"Show which subjects are in which phase."`
	Announce phaseAnnounceCmd `cmd:"" help:"Put the next phase of a subject in force, in the order that its contract prescribes."`
	Drain    phaseDrainCmd    `cmd:"" help:"Drain a subject: wait until nobody sends to it any more."`
	Watch    phaseWatchCmd    `cmd:"" help:"Print what is committed, as it is."`
	Report   phaseReportCmd   `cmd:"" help:"Show the phase indicators M1 to M9, and what was found, of a server or of recorded telemetry."`
	Audit    phaseAuditCmd    `cmd:"" help:"Print the audit log, and check that nothing in it was changed or left out."`
}

// phaseUseCmd puts a contract in use.
type phaseUseCmd struct {
	server
	File string `arg:"" help:"The contract." type:"existingfile"`
}

// Help is shown by --help after the flags.
func (phaseUseCmd) Help() string {
	return `Examples:
  eddy phase use drain.yaml
The server lints it first. A version that is in use never changes: give a changed
contract a higher one.`
}

// Run sends the file.
func (c *phaseUseCmd) Run(ctx context.Context, std stdio) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	var answer struct {
		Contract string `json:"contract"`
		SHA256   string `json:"sha256"`
	}
	query := url.Values{"file": {filepath.Base(c.File)}}
	if err := c.ask(ctx, http.MethodPost, wire.PathContracts+"?"+query.Encode(), text, &answer); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.out, "%s is in use, sha256 %s\n", answer.Contract, answer.SHA256)
	return err
}

// phaseStatusCmd lists subjects.
type phaseStatusCmd struct {
	server
	Contract string `arg:"" optional:"" help:"Only subjects of this contract, by its name."`
	Select   string `help:"Only this key, or keys that begin so: shop/cart/*."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is shown by --help after the flags.
func (phaseStatusCmd) Help() string {
	return `Examples:
  eddy phase status
  eddy phase status rolling-drain --select 'shop/cart/*' --json`
}

// Run prints one line per subject.
func (c *phaseStatusCmd) Run(ctx context.Context, std stdio) error {
	var answer struct {
		Subjects []wire.Standing `json:"subjects"`
	}
	query := url.Values{"contract": {c.Contract}, "select": {c.Select}}
	if err := c.get(ctx, wire.PathSubjects+"?"+query.Encode(), &answer); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, answer.Subjects)
	}
	if len(answer.Subjects) == 0 {
		_, err := fmt.Fprintln(std.out, "No subject was announced yet.")
		return err
	}
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, r := range answer.Subjects {
		fmt.Fprintf(t, "%s\t%s\t%s\tepoch %d\t%s\t%s\n", r.Contract, r.Key, r.Phase, r.Epoch, inForce(r.Record), r.CommittedAt.Local().Format(time.DateTime))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printTroubles(std.out, answer.Subjects)
}

// printTroubles says what people should look into.
func printTroubles(w io.Writer, subjects []wire.Standing) error {
	for _, s := range subjects {
		for _, t := range s.Troubles {
			what := fmt.Sprintf("%s since %s", t.Cause, t.Since.Local().Format(time.DateTime))
			switch {
			case t.Stuck:
				what += fmt.Sprintf(", stuck: asked for %d times, and nothing more is done about it", t.Attempts)
			case t.HeldUntil != nil:
				what += ", held until " + t.HeldUntil.Local().Format(time.DateTime)
			case t.Attempts > 0:
				what += fmt.Sprintf(", asked for %d times", t.Attempts)
			}
			if _, err := fmt.Fprintf(w, "%s %s: %s: %s\n", s.Contract, s.Key, what, t.Detail); err != nil {
				return err
			}
		}
	}
	return nil
}

// inForce says whether the phase of a record is.
func inForce(r wire.Record) string {
	if r.Enforced < r.Epoch {
		return "announced, " + r.Previous + " may be in force"
	}
	return "in force"
}

// A producerFlags says whose phase is changed, and who signs.
type producerFlags struct {
	server
	Contract string        `arg:"" env:"EDDY_CONTRACT" help:"The contract, by its name."`
	Subject  string        `arg:"" env:"EDDY_SUBJECT" help:"The subject's key."`
	Key      []string      `env:"EDDY_KEY" help:"Sign with this key: its id in the contract, and a PEM file." placeholder:"ID=FILE" required:""`
	Reason   string        `help:"Why, for the audit log."`
	Wait     time.Duration `default:"2m" help:"How long to wait until it is in force."`
	JSON     bool          `name:"json" help:"Print JSON."`
}

// producer returns the producer of the subject, and what ends it.
func (f producerFlags) producer(ctx context.Context) (*phase.Producer, func(), error) {
	client, err := f.dial()
	if err != nil {
		return nil, nil, err
	}
	end := func() { _ = client.Close() } // it ends goroutines, and cannot fail
	p, err := client.Producer(ctx, phase.Subject{Contract: f.Contract, Key: f.Subject})
	if err != nil {
		end()
		return nil, nil, err
	}
	return p, end, nil
}

// dial returns a client that signs with the keys.
func (f producerFlags) dial() (*phase.Client, error) {
	signers, err := readKeys(f.Key)
	if err != nil {
		return nil, err
	}
	return phase.Dial(phase.Config{URLs: []string{strings.TrimSuffix(f.Server, "/")}, Token: f.Token, Signers: signers})
}

// readKeys reads private keys, each given as ID=FILE.
func readKeys(flags []string) ([]phase.Signer, error) {
	var signers []phase.Signer
	for _, flag := range flags {
		id, file, ok := strings.Cut(flag, "=")
		if !ok || id == "" {
			return nil, fmt.Errorf("--key %q: want ID=FILE, the key's id in the contract and a PEM file", flag)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--key %s: %w", id, err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fmt.Errorf("--key %s: %s is not PEM: make one with \"openssl genpkey -algorithm ed25519\"", id, file)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("--key %s: %s: %w", id, file, err)
		}
		key, ok := parsed.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("--key %s: %s holds a %T: want an Ed25519 key", id, file, parsed)
		}
		signers = append(signers, phase.Signer{KeyID: id, Key: key})
	}
	return signers, nil
}

// phaseAnnounceCmd makes one transition.
type phaseAnnounceCmd struct {
	producerFlags
	Phase      string             `arg:"" help:"The phase to put in force."`
	Fact       []string           `help:"A statement for the guard, as ddl_applied." placeholder:"NAME"`
	Metric     map[string]float64 `help:"A measurement for the guard." placeholder:"NAME=VALUE"`
	Deployment string             `help:"The deployment that this belongs to."`
	Urgent     bool               `help:"Pass over debounce and dwell, where the contract allows it."`
}

// Help is shown by --help after the flags.
func (phaseAnnounceCmd) Help() string {
	return `Examples:
  eddy phase announce expand-contract db/shop/orders EXPANDED --key migrator=migrator.pem --fact ddl_applied
  eddy phase announce regional-flag flags/rounding CANARY --key a=a.pem --key b=b.pem --reason "tested in staging"

It is for subjects without a process of their own, such as flags and tables: the
command is the producer, and returns when the phase is in force. The exit status is
1 if the announcement was refused; the answer says why.`
}

// Run announces, waits, and says how it came into force.
func (c *phaseAnnounceCmd) Run(ctx context.Context, std stdio) error {
	limit, stop := context.WithTimeout(ctx, c.Wait)
	defer stop()
	p, end, err := c.producer(limit)
	if err != nil {
		return err
	}
	defer end()
	facts := phase.Facts{Request: make(map[string]bool), Metrics: c.Metric}
	for _, name := range c.Fact {
		facts.Request[name] = true
	}
	options := []phase.To{phase.WithReason(c.Reason), phase.WithDeployment(c.Deployment), phase.WithFacts(facts)}
	if c.Urgent {
		options = append(options, phase.Urgent())
	}
	receipt, err := p.To(limit, phase.Name(c.Phase), options...)
	if err != nil {
		return no(std, err)
	}
	if c.JSON {
		return printJSON(std.out, receipt)
	}
	return printReceipt(std.out, p, receipt)
}

// no says why the answer is no, if it was the mediator that said so.
func no(std stdio, err error) error {
	if _, ok := errors.AsType[*wire.Error](err); ok {
		fmt.Fprintf(std.err, "eddy: %v\n", err)
		return errNo
	}
	return err
}

func printReceipt(w io.Writer, p *phase.Producer, r phase.Receipt) error {
	why := map[string]string{
		"acks":  fmt.Sprintf("everyone had acknowledged after %s", r.Enforced.Sub(r.Committed).Round(time.Millisecond)),
		"bound": fmt.Sprintf("nobody can believe otherwise after %s", r.Enforced.Sub(r.Committed).Round(time.Millisecond)),
		"none":  "it takes nothing away",
	}[string(r.Cause)]
	if _, err := fmt.Fprintf(w, "%s is in force: %s\n", p.Actual(), why); err != nil || len(r.Missing) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "no acknowledgement came from %s\n", strings.Join(r.Missing, ", "))
	return err
}

// phaseWatchCmd prints news.
type phaseWatchCmd struct {
	server
	Contract string `arg:"" help:"The contract, by its name."`
	Select   string `help:"Only this key, or keys that begin so: shop/cart/*."`
	Count    int    `help:"End after this many." placeholder:"N"`
	JSON     bool   `name:"json" help:"Print one JSON object a line."`
}

// Help is shown by --help after the flags.
func (phaseWatchCmd) Help() string {
	return `Examples:
  eddy phase watch rolling-drain
  eddy phase watch rolling-drain --select 'shop/cart/*' --json | jq .phase

It begins with what is committed, and ends when it is interrupted or the server
goes away.`
}

// Run prints a line for each commit, and for each phase that comes into force.
func (c *phaseWatchCmd) Run(ctx context.Context, std stdio) error {
	query := url.Values{"contract": {c.Contract}, "select": {c.Select}}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	response, err := c.open(ctx, http.MethodGet, wire.PathWatch+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	left := c.Count
	var printing error
	err = wire.ReadEvents(response.Body, func(_ string, r wire.Record) {
		if printing = c.print(std.out, r); printing != nil {
			stop()
		}
		if left--; left == 0 {
			stop()
		}
	})
	switch {
	case printing != nil:
		return printing
	case left == 0 && c.Count > 0:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("watch %s: the server ended the stream", c.Server)
	}
	return err
}

func (c *phaseWatchCmd) print(w io.Writer, r wire.Record) error {
	if c.JSON {
		r.Envelope = nil // the proof of who announced it is long, and in the audit log
		return json.NewEncoder(w).Encode(r)
	}
	_, err := fmt.Fprintf(w, "%s  %s  %s to %s at epoch %d, %s\n", r.CommittedAt.Local().Format(time.DateTime), r.Key, r.Previous, r.Phase, r.Epoch, inForce(r))
	return err
}

// phaseAuditCmd prints the audit log.
type phaseAuditCmd struct {
	server
	Subject string `help:"Print only entries of this subject; all are checked."`
	JSON    bool   `name:"json" help:"Print one JSON object a line."`
}

// Help is shown by --help after the flags.
func (phaseAuditCmd) Help() string {
	return `Examples:
  eddy phase audit
  eddy phase audit --subject shop/checkout/pod-7
  eddy phase audit --json | jq 'select(.what == "refused")'

The exit status is 1 if an entry was changed or left out.`
}

// Run prints the log and then says whether it is whole.
func (c *phaseAuditCmd) Run(ctx context.Context, std stdio) error {
	var before []wire.Entry // the last entry of the part before
	n := 0
	for {
		after := uint64(0)
		if len(before) > 0 {
			after = before[0].Sequence
		}
		var answer struct {
			Entries []wire.Entry `json:"entries"`
		}
		if err := c.get(ctx, wire.PathAudit+"?after="+strconv.FormatUint(after, 10), &answer); err != nil {
			return err
		}
		if len(answer.Entries) == 0 {
			break
		}
		if err := c.print(std.out, answer.Entries); err != nil {
			return err
		}
		if err := wire.VerifyChain(append(before, answer.Entries...)); err != nil {
			fmt.Fprintf(std.err, "eddy: the audit log is not whole: %v\n", err)
			return errNo
		}
		n += len(answer.Entries)
		before = answer.Entries[len(answer.Entries)-1:]
	}
	if c.JSON {
		return nil
	}
	_, err := fmt.Fprintf(std.out, "%d entries; none was changed or left out\n", n)
	return err
}

func (c *phaseAuditCmd) print(w io.Writer, entries []wire.Entry) error {
	for _, e := range entries {
		if c.Subject != "" && e.Key != c.Subject {
			continue
		}
		if c.JSON {
			if err := json.NewEncoder(w).Encode(e); err != nil {
				return err
			}
			continue
		}
		parts := []string{fmt.Sprintf("%5d", e.Sequence), e.Time.Local().Format(time.DateTime), fmt.Sprintf("%-9s", e.What)}
		for _, part := range []string{e.Code, e.Key, steps(e), strings.Join(e.KeyIDs, "+"), e.Detail} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		if _, err := fmt.Fprintln(w, strings.Join(parts, "  ")); err != nil {
			return err
		}
	}
	return nil
}

// steps says from which phase to which.
func steps(e wire.Entry) string {
	switch {
	case e.From != "":
		return fmt.Sprintf("%s to %s at epoch %d", e.From, e.To, e.Epoch)
	case e.Epoch != 0:
		return fmt.Sprintf("%s at epoch %d", e.To, e.Epoch)
	}
	return e.To
}
