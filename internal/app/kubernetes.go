package app

import (
	"context"
	"errors"
	"fmt"

	"example.test/eddy/internal/ingest"
	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/wire"
)

// KubernetesOptions are about the cluster that is watched. None is unless Watch or
// Kubeconfig is set.
type KubernetesOptions struct {
	// Watch watches the cluster that this process runs in, as the ServiceAccount of
	// its pod.
	Watch bool `yaml:"watch"`
	// Kubeconfig is a file that says which other cluster, and as whom.
	Kubeconfig string `yaml:"kubeconfig"`
	// Namespaces are those that are watched. None means all.
	Namespaces []string `yaml:"namespaces"`
}

// openKubernetes opens the watcher of the cluster. What the cluster does not allow is
// said at the start, and ends it; that it does not answer is not.
func (a *App) openKubernetes(ctx context.Context) error {
	o := a.options.Kubernetes
	if !o.Watch && o.Kubeconfig == "" {
		return nil
	}
	config := kubernetes.Config{
		Kubeconfig: o.Kubeconfig, Namespaces: o.Namespaces,
		Report: a.reportCluster, Log: a.log, Registerer: a.registry,
	}
	if a.phases != nil {
		config.Phases = announced{a.phases.mediator}
	}
	w, err := kubernetes.New(config)
	if err != nil {
		return err
	}
	if err := w.Check(ctx); err != nil {
		if _, denied := errors.AsType[*kubernetes.Denied](err); denied {
			return err
		}
		a.log.WarnContext(ctx, "kubernetes does not answer; it is watched as soon as it does", "error", err)
	}
	a.cluster = w
	return nil
}

// reportCluster takes a change of the cluster in.
func (a *App) reportCluster(c *telemetry.Change) error {
	err := a.ingest.Report(c)
	if _, invalid := errors.AsType[*ingest.ChangeError](err); invalid {
		return fmt.Errorf("%w: %w", kubernetes.ErrInvalid, err)
	}
	return err
}

// announced is the mediator as readiness gates need it.
type announced struct{ *mediator.Mediator }

// Watch implements kubernetes.Phases.
func (a announced) Watch(ctx context.Context, contract string, tell func(changed []wire.Record) error) error {
	return a.Mediator.Watch(ctx, contract, "", 0, func(_ int64, news []*mediator.News) error {
		changed := make([]wire.Record, 0, len(news))
		for _, n := range news {
			changed = append(changed, n.Record)
		}
		return tell(changed)
	})
}

// watchKubernetes watches the cluster until ctx ends.
func (a *App) watchKubernetes(ctx context.Context) error {
	if a.cluster == nil {
		return nil
	}
	return a.cluster.Run(ctx)
}
