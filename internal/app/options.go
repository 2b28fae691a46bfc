package app

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"example.test/eddy/internal/access"
	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/store"
	"example.test/eddy/internal/web"
)

// Options are all that can be set about a server. The zero value means the
// defaults. In a file they are YAML with the names below; "eddy serve" flags
// override the file.
type Options struct {
	// Data is the directory of the store and the journal. Default "eddy-data".
	Data string `yaml:"data"`
	// Web is the address of the pages and the API. Default 127.0.0.1:7080; port
	// 0 takes a free one.
	Web string `yaml:"web"`
	// Hosts are names, beside localhost and IP addresses, under which the pages
	// are asked for. "*" allows every name.
	Hosts []string `yaml:"hosts"`
	// Tokens say who may do what. Without any, everyone on this machine may do
	// everything, and only loopback addresses are listened on.
	Tokens []access.Token `yaml:"tokens"`
	// TokensFile holds more of them, one "NAME ROLE TOKEN" a line.
	TokensFile string `yaml:"tokens_file"`
	// TLS is used on all addresses.
	TLS ingest.TLSConfig `yaml:"tls"`
	// InsecureListen allows addresses that other machines can reach without TLS
	// and tokens.
	InsecureListen bool `yaml:"insecure_listen"`

	// Phases are about the mediator of phases.
	Phases PhaseOptions `yaml:"phases"`
	// Kubernetes is about the cluster that is watched.
	Kubernetes KubernetesOptions `yaml:"kubernetes"`

	Ingest   ingest.Config   `yaml:"ingest"`
	Analysis pipeline.Config `yaml:"analysis"`
	// Step is how often the window is analysed. Default 10 s.
	Step time.Duration `yaml:"step"`
	// Retention is how long each kind of record is kept; see store.Retention. A
	// field that is zero means its default.
	Retention store.Retention `yaml:"retention"`
	// Memory bounds what the process keeps, in bytes; at least 256 MiB, default
	// 2 GiB. A quarter is for the store's engine, and 128 MiB and a sixth are
	// for the process itself. Of the rest, a sixth each is for the queue of what was received, for
	// requests that are being decoded and for the window, and a quarter for
	// requests that are being assembled. Each share can be set by itself with the
	// options of its part, and what is set counts.
	Memory int64 `yaml:"memory"`
	// StoreMemory bounds the memory of the store's engine in bytes.
	StoreMemory int64 `yaml:"store_memory"`
	// Drain is how long a server that was told to stop may take to work off
	// what it has accepted. Default 20 s.
	Drain time.Duration `yaml:"drain"`
	// TraceLinks and IncidentLinks lead from pages into other tools.
	TraceLinks    []web.Link `yaml:"trace_links"`
	IncidentLinks []web.Link `yaml:"incident_links"`
}

// withDefaults fills the zero fields and carries the settings of the whole
// server into its parts.
func (o Options) withDefaults() Options {
	o.Data = cmp.Or(o.Data, "eddy-data")
	o.Web = cmp.Or(o.Web, "127.0.0.1:7080")
	o.Step = cmp.Or(o.Step, 10*time.Second)
	o.Drain = cmp.Or(o.Drain, 20*time.Second)
	o.Memory = cmp.Or(o.Memory, 2<<30)
	o.StoreMemory = cmp.Or(o.StoreMemory, o.Memory/4)
	heap := o.heap()
	o.Ingest.Bounds.QueueBytes = cmp.Or(o.Ingest.Bounds.QueueBytes, heap/6)
	o.Ingest.Bounds.InflightBytes = cmp.Or(o.Ingest.Bounds.InflightBytes, heap/6/decodedBytes)
	o.Analysis.Request.MaxSpans = cmp.Or(o.Analysis.Request.MaxSpans, int(heap/4/spanBytes))
	o.Analysis.MaxObservations = cmp.Or(o.Analysis.MaxObservations, min(int(heap/6/observationBytes), 200_000))
	keep := store.DefaultRetention()
	o.Retention.Spans = cmp.Or(o.Retention.Spans, keep.Spans)
	o.Retention.Logs = cmp.Or(o.Retention.Logs, keep.Logs)
	o.Retention.Observations = cmp.Or(o.Retention.Observations, keep.Observations)
	o.Retention.Totals = cmp.Or(o.Retention.Totals, keep.Totals)
	o.Retention.Changes = cmp.Or(o.Retention.Changes, keep.Changes)
	o.Retention.Incidents = cmp.Or(o.Retention.Incidents, keep.Incidents)
	if o.TLS.On() && !o.Ingest.TLS.On() {
		o.Ingest.TLS = o.TLS
	}
	o.Ingest.InsecureListen = o.Ingest.InsecureListen || o.InsecureListen
	return o
}

// What one of each takes in memory, about: a span with a dozen attributes, and
// an observation with forty conditions in the window and once more while it is
// mined.
const (
	spanBytes = 2 << 10
	// decodedBytes is what a byte of a request takes while it is decoded.
	decodedBytes     = 5
	observationBytes = 1 << 10
	// processBytes, and a sixth of Memory, are what the process needs besides
	// the Go heap and the store's engine: its code, stacks, and what the engine
	// takes beside its limit.
	processBytes = 128 << 20
)

// heap is the Go runtime's share of Memory, of which the parts have theirs. The
// quarter that they leave is for garbage and for the batch that is being stored.
func (o Options) heap() int64 {
	beside := processBytes + o.Memory/6
	return max(o.Memory-o.StoreMemory-beside, o.Memory/8)
}

// LimitHeap asks the Go runtime to keep its share of Memory, and to collect
// garbage at leisure while it is far from that. These are settings of the whole
// process, so only a process that is a server calls it.
func (o Options) LimitHeap() {
	const leisure = 200 // percent that the heap may grow by; collecting is a fifth of the work at Go's 100
	debug.SetGCPercent(leisure)
	debug.SetMemoryLimit(o.withDefaults().heap())
}

// Validate reports the first option that makes no sense.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.Step < 0:
		return fmt.Errorf("step is %s: want a positive duration", o.Step)
	case o.Memory < 256<<20:
		return fmt.Errorf("memory is %d bytes: want at least 256 MiB, %d", o.Memory, 256<<20)
	case o.Drain < 0:
		return fmt.Errorf("drain is %s: want a positive duration", o.Drain)
	case (o.TLS.CertFile == "") != (o.TLS.KeyFile == ""):
		return errors.New("tls: want both cert_file and key_file, or neither")
	}
	return errors.Join(prefix("ingest", o.Ingest.Validate()), prefix("analysis", o.Analysis.Validate()))
}

// prefix says which part an error is from.
func prefix(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s.%w", part, err)
}

// tokens gathers the tokens of the options and of their file.
func (o Options) tokens() (*access.List, error) {
	all := o.Tokens
	if o.TokensFile != "" {
		more, err := access.ReadFile(o.TokensFile)
		if err != nil {
			return nil, err
		}
		all = append(append([]access.Token(nil), all...), more...)
	}
	return access.New(all)
}
