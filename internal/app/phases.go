package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	monitor   *conformance.Monitor
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
	p.monitor = conformance.New(p.known.get, time.Now())
	if err := a.registry.Register(indicators{p.monitor}); err != nil {
		return fmt.Errorf("phase indicators: %w", err)
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
		InUse: p.known.put,
		Event: func(l *telemetry.Log) { p.monitor.Add(telemetry.Batch{Logs: []*telemetry.Log{l}}) },
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
		Origin: telemetry.OriginReported, Source: "eddy phases",
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
	mux := http.NewServeMux()
	mux.Handle("/", a.phases.mediator.Handler(tokens))
	mux.Handle("GET /api/v1/phase/report", tokens.Require(access.Viewer, http.HandlerFunc(a.getPhaseReport)))
	return mux
}

// getPhaseReport answers the indicators of phases over the last minutes, an hour
// at most.
func (a *App) getPhaseReport(w http.ResponseWriter, r *http.Request) {
	length := 5 * time.Minute
	if s := r.URL.Query().Get("window"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 || d > time.Hour {
			http.Error(w, `{"error":{"code":"bad_parameter","message":"window: want a duration up to 1h, as 5m"}}`, http.StatusBadRequest)
			return
		}
		length = d
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.phases.monitor.Report(length, time.Now())) // a client that left has nobody to tell
}

// indicators shows what the monitor computes as metrics, over five minutes. None
// has a subject for a label, of which there is no end.
type indicators struct{ monitor *conformance.Monitor }

// Describe sends nothing: which contracts there are is not known before.
func (indicators) Describe(chan<- *prometheus.Desc) {}

// Collect sends the indicators that are known.
func (i indicators) Collect(out chan<- prometheus.Metric) {
	r := i.monitor.Report(5*time.Minute, time.Now())
	gauge := func(name, help string, value float64, labels ...string) {
		var names []string
		if len(labels) > 0 {
			names = []string{"contract"}
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), prometheus.GaugeValue, value, labels...)
	}
	found := map[string]float64{"F1": 0, "F2": 0, "F4": 0, "F5": 0}
	for _, f := range r.Findings {
		found[f.Code]++
	}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("eddy_phase_findings", "Phase failures that hold now, by code.", []string{"code"}, nil), prometheus.GaugeValue, found[code], code)
	}
	if r.M3.Known {
		gauge("eddy_phase_duplicate_ratio", "M3: share of jobs of the last five minutes that were done more than once.", r.M3.Ratio())
	}
	for _, k := range r.Indicators {
		if k.M1.Known {
			gauge("eddy_phase_mismatch_ratio", "M1: share of interactions that did not fit, over five minutes.", k.M1.Ratio(), k.Contract)
		}
		if k.M2.Known {
			gauge("eddy_phase_drain_failure_ratio", "M2: share of new work that met a subject which takes none, over five minutes.", k.M2.Ratio(), k.Contract)
		}
		if k.M5.N > 0 && !k.M5.Beyond {
			gauge("eddy_phase_change_seconds", "M5: median time from a commit to its acknowledgements, over five minutes.", k.M5.Seconds, k.Contract)
		}
		gauge("eddy_phase_flaps_per_hour", "M6: how often the worst subject went back and forth in an hour.", float64(k.M6), k.Contract)
	}
}
