package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"example.test/eddy/internal/app"
)

// serveCmd receives telemetry and changes, analyses them and shows what it
// found.
type serveCmd struct {
	Config         string        `help:"YAML file with options; the flags below override it." type:"path"`
	Data           string        `help:"Directory of the store and the journal (default eddy-data)." type:"path"`
	Web            string        `help:"Address of the pages and the API (default 127.0.0.1:7080)."`
	GRPC           string        `name:"grpc" help:"Address for OTLP over gRPC (default 127.0.0.1:4317; \"off\" for none)."`
	HTTP           string        `name:"http" help:"Address for OTLP over HTTP (default 127.0.0.1:4318; \"off\" for none)."`
	Tokens         string        `help:"File of tokens, one \"NAME ROLE TOKEN\" a line; roles are ingest, viewer, operator, approver." type:"path"`
	Contracts      string        `help:"Directory of phase contracts to put in use; starts the mediator of phases." type:"path"`
	Etcd           []string      `help:"URLs of an etcd of yours for the mediator of phases, instead of one in this process." placeholder:"URL,..."`
	Kubernetes     bool          `help:"Watch the cluster that this process runs in: endpoints, rollouts and leases become changes, phases readiness."`
	Kubeconfig     string        `help:"Watch the cluster that this file names instead." type:"path"`
	Namespace      []string      `help:"Watch these namespaces of it (default all)." placeholder:"NAME,..."`
	TLSCert        string        `name:"tls-cert" help:"Certificate to serve with, PEM." type:"path"`
	TLSKey         string        `name:"tls-key" help:"Its private key, PEM." type:"path"`
	InsecureListen bool          `help:"Allow addresses that other machines can reach without TLS and tokens. Everyone who reaches them can read and write everything."`
	Step           time.Duration `help:"How often to analyse (default 10s)."`
	Log            string        `enum:"debug,info,warn,error" default:"info" help:"Least level of log lines: ${enum}."`
}

// Help is shown by --help after the flags.
func (serveCmd) Help() string {
	return `Point an OpenTelemetry exporter at it:
  eddy serve &
  OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 your-service

Tell it of a change:
  curl -d '{"kind":"deploy","entity":"cart","dimension":"service.version","value":"2.4.0"}' \
    -H 'Content-Type: application/json' http://127.0.0.1:7080/api/v1/changes`
}

// Run serves until interrupted.
func (c *serveCmd) Run(ctx context.Context, std stdio) error {
	var o app.Options
	if c.Config != "" {
		loaded, err := app.Load(c.Config)
		if err != nil {
			return err
		}
		o = loaded
	}
	for _, f := range []struct {
		flag string
		into *string
	}{
		{c.Data, &o.Data},
		{c.Web, &o.Web},
		{c.GRPC, &o.Ingest.GRPC},
		{c.HTTP, &o.Ingest.HTTP},
		{c.Tokens, &o.TokensFile},
		{c.Contracts, &o.Phases.Contracts},
		{c.Kubeconfig, &o.Kubernetes.Kubeconfig},
		{c.TLSCert, &o.TLS.CertFile},
		{c.TLSKey, &o.TLS.KeyFile},
	} {
		if f.flag != "" {
			*f.into = f.flag
		}
	}
	if len(c.Etcd) > 0 {
		o.Phases.Etcd = c.Etcd
	}
	if c.Step != 0 {
		o.Step = c.Step
	}
	if len(c.Namespace) > 0 {
		o.Kubernetes.Namespaces = c.Namespace
	}
	o.Kubernetes.Watch = o.Kubernetes.Watch || c.Kubernetes
	o.InsecureListen = o.InsecureListen || c.InsecureListen
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: level}))
	o.LimitHeap()
	server, err := app.New(ctx, o, log)
	if err != nil {
		return err
	}
	grpc, http := server.OTLP()
	fmt.Fprintf(std.out, "eddy is ready\n  pages and API  %s\n  OTLP gRPC      %s\n  OTLP HTTP      %s\n", server.URL(), cmp.Or(grpc, "off"), cmp.Or(http, "off"))
	if err := server.Run(ctx); err != nil {
		return err
	}
	fmt.Fprintln(std.out, "eddy has stopped; everything it accepted is on disk")
	return nil
}
