package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/mediator/etcd"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/wire"
)

// PhaseOptions are about the mediator of phases. It runs if Contracts or Etcd is
// set, or if the data directory holds what an earlier one has committed.
type PhaseOptions struct {
	// Contracts is a directory of contracts, *.yaml, that are put in use at the
	// start. More can be sent while the server runs.
	Contracts string `yaml:"contracts"`
	// Etcd are the URLs of an etcd of yours. Without any, one runs in this process
	// and keeps its data in etcd, in the data directory.
	Etcd []string `yaml:"etcd"`
	// Cluster is the name that announcements must be addressed to. Default "eddy".
	Cluster string `yaml:"cluster"`
}

// newsQueue is how many commits may wait to be told to the analysis. When it is
// full more are dropped, and a warning says so: phases themselves are not
// affected.
const newsQueue = 1024

// phases is the mediator with what feeds it.
type phases struct {
	mediator  *mediator.Mediator
	contracts map[string][]byte // of the directory, by file
	news      chan wire.Record
	known     known
}

// known are contracts by name and version, as the mediator has them. A version
// never changes, so it is parsed once.
type known struct {
	mu   sync.Mutex
	byID map[string]*contract.Contract
}

// openPhases opens the mediator's state, and reads the contracts, so that what is
// wrong with them is said at the start.
func (a *App) openPhases(ctx context.Context) error {
	o := a.options.Phases
	dir := filepath.Join(a.options.Data, "etcd")
	if _, err := os.Stat(dir); o.Contracts == "" && len(o.Etcd) == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	p := &phases{news: make(chan wire.Record, newsQueue)}
	var err error
	if p.contracts, err = readContracts(o.Contracts); err != nil {
		return err
	}
	var state *etcd.State
	if len(o.Etcd) > 0 {
		state, err = etcd.Dial(ctx, o.Etcd)
	} else {
		state, err = etcd.Start(ctx, dir, a.log)
	}
	if err != nil {
		return err
	}
	a.onClose("phase state", state.Close)
	p.mediator, err = mediator.New(mediator.Config{
		Cluster: o.Cluster, State: state, Alone: len(o.Etcd) == 0, Log: a.log, Registerer: a.registry,
		InUse: func(c *contract.Contract) {
			p.known.put(c)
			a.pipeline.Phases().Use(c)
		},
		Event: func(l *telemetry.Log) {
			a.pipeline.Phases().Add(time.Now(), telemetry.Batch{Logs: []*telemetry.Log{l}})
		},
		Committed: func(r wire.Record) {
			select {
			case p.news <- r:
			default:
				a.log.WarnContext(ctx, "a phase was not told to the analysis, which does not keep up", "subject", r.Key, "phase", r.Phase)
			}
		},
	})
	a.phases = p
	return err
}

// readContracts reads and checks the contracts of a directory.
func readContracts(dir string) (map[string][]byte, error) {
	if dir == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("contracts: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("contracts: there is no *.yaml in %s", dir)
	}
	contracts := make(map[string][]byte)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("contracts: %w", err)
		}
		if _, err := contract.Parse(file, text); err != nil {
			return nil, fmt.Errorf("contracts: %w", err)
		}
		contracts[file] = text
	}
	return contracts, nil
}

// get returns a contract, nil if it is not known.
func (k *known) get(id string) *contract.Contract {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[id]
}

// put makes a contract known.
func (k *known) put(c *contract.Contract) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID == nil {
		k.byID = make(map[string]*contract.Contract)
	}
	k.byID[c.ID()] = c
}

// mediate runs the mediator, and puts the contracts of the directory in use
// whenever it begins to be the one.
func (a *App) mediate(ctx context.Context) error {
	if a.phases == nil {
		return nil
	}
	go a.useContracts(ctx)
	return a.phases.mediator.Run(ctx)
}

// useContracts puts the contracts of the directory in use. A replica that is not
// the mediator waits until it is.
func (a *App) useContracts(ctx context.Context) {
	for file, text := range a.phases.contracts {
		for {
			c, err := a.phases.mediator.AddContract(ctx, file, text, "eddy serve")
			if err == nil {
				a.log.InfoContext(ctx, "contract in use", "contract", c.ID(), "file", file)
				break
			}
			why, ok := errors.AsType[*wire.Error](err)
			if !ok || why.Code != wire.CodeNotActive && why.Code != wire.CodeUnavailable {
				a.log.ErrorContext(ctx, "contract refused", "file", file, "error", err)
				break
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	}
}

// tellPhases hands what is committed to the analysis, as changes: a phase is a
// state in force like any other, and may be what explains failures.
func (a *App) tellPhases(ctx context.Context) error {
	if a.phases == nil {
		return nil
	}
	for {
		select {
		case r := <-a.phases.news:
			if err := a.ingest.Report(a.phaseChange(r)); err != nil {
				a.log.WarnContext(ctx, "a phase was not told to the analysis", "subject", r.Key, "phase", r.Phase, "error", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// phaseChange is a record as a change. Where the contract's key says which part
// is the service and which the instance, the change belongs to those.
func (a *App) phaseChange(r wire.Record) *telemetry.Change {
	c := &telemetry.Change{
		ID: fmt.Sprintf("phase-%s-%s-%d", r.Contract, wire.Hash(r.Key), r.Epoch), Time: r.CommittedAt, Kind: telemetry.ChangePhase,
		Entity: r.Key, Dimension: "phase", Value: r.Phase, Previous: r.Previous,
		Origin: telemetry.OriginReported, Source: conformance.MediatorSource,
		Summary: fmt.Sprintf("%s: %s to %s at epoch %d", r.Contract, r.Previous, r.Phase, r.Epoch),
	}
	known := a.phases.known.get(r.Contract)
	if known == nil {
		return c
	}
	template, parts := strings.Split(known.Subject.Key, "/"), strings.Split(r.Key, "/")
	if len(template) != len(parts) {
		return c
	}
	for i, part := range template {
		switch part {
		case "{service.name}":
			c.Entity = parts[i]
		case "{service.instance.id}":
			c.Instance = parts[i]
		}
	}
	return c
}

// phaseHandler answers what the SDK and "eddy phase" ask.
func (a *App) phaseHandler(tokens *access.List) http.Handler {
	if a.phases == nil {
		return nil
	}
	return a.phases.mediator.Handler(tokens)
}
