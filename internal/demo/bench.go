package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"example.test/eddy/internal/condition"
)

// A Bench is the shop without customers, telemetry or a script, for trying
// combinations of its conditions on purpose: every service runs in all of its
// versions, and a Try chooses which of them serve, which flags are on and
// whether the backup runs. Tries must not overlap.
type Bench struct {
	shop *Shop
	rows map[string]map[string][]*instance // by service and version
}

// benchReplicas is how many instances of each version there are.
const benchReplicas = 2

// versions are those in which a service can run, the one that the shop opens
// with first.
func versions(service string) []string {
	switch service {
	case "cart":
		return []string{"1.9.0", "2.0.0"}
	case "pricing":
		return []string{"1.4.2", "2.0.0"}
	case "payments":
		return []string{"3.0.4", "3.1.0"}
	case "inventory":
		return []string{"4.2.0", "4.3.0"}
	default:
		return []string{"5.2.1"}
	}
}

// OpenBench opens a shop to try conditions in. Its seed decides prices and
// noise.
func OpenBench(ctx context.Context, seed uint64) (*Bench, error) {
	services := catalogue()
	for i := range services {
		services[i].silent = true
	}
	s := &Shop{
		cfg: Config{Seed: seed}, story: Story{services: services}, logger: slog.New(slog.DiscardHandler), plan: newPlan(seed, services),
		directory: newDirectory(newDice(seed, "directory")), flags: newFlags(true), stock: newStockroom(),
		patience: make(map[string]*patience), instances: make(map[string][]*instance),
	}
	b := &Bench{shop: s, rows: make(map[string]map[string][]*instance)}
	for _, svc := range services {
		s.patience[svc.name] = newPatience()
	}
	if err := b.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open bench: %w", err), b.Close(ctx))
	}
	return b, nil
}

func (b *Bench) open(ctx context.Context) (err error) {
	s := b.shop
	if s.scrap, err = os.MkdirTemp("", "eddy-bench-"); err != nil {
		return err
	}
	s.ledger = filepath.Join(s.scrap, "orders.db")
	if err := createLedger(ctx, s.ledger); err != nil {
		return err
	}
	for _, svc := range s.story.services {
		b.rows[svc.name] = make(map[string][]*instance)
		for _, version := range versions(svc.name) {
			for i := range benchReplicas {
				in, err := s.listen(ctx, svc, svc.name+"-"+strconv.Itoa(i+1), version)
				if err != nil {
					return err
				}
				b.rows[svc.name][version] = append(b.rows[svc.name][version], in)
				s.instances[svc.name] = append(s.instances[svc.name], in)
			}
		}
	}
	return nil
}

// Close stops all of it, and waits for that.
func (b *Bench) Close(ctx context.Context) error { return b.shop.closeShop(ctx) }

// Conditions are those that a Try can put in force.
func (b *Bench) Conditions() []condition.Condition {
	list := []condition.Condition{
		{Entity: "pricing", Dimension: "flag " + flagBulkQuote, Value: "on"},
		{Entity: "cart", Dimension: "flag " + flagExpressShipping, Value: "on"},
		{Entity: ledgerName, Dimension: "nightly-backup", Value: "running"},
	}
	for _, svc := range b.shop.story.services {
		if all := versions(svc.name); len(all) > 1 {
			for _, v := range all {
				list = append(list, condition.Condition{Entity: svc.name, Dimension: "service.version", Value: v})
			}
		}
	}
	slices.SortFunc(list, condition.Compare)
	return list
}

// Try sends requests, as many as said and one after the other from each of a few
// customers, with some of the conditions in force and the others not: a service
// whose version is named as not in force runs in its other one. It returns how
// many failed. What customers ask for depends on the seed alone.
func (b *Bench) Try(ctx context.Context, in, out []condition.Condition, requests int, seed uint64) (failed int, err error) {
	stop, err := b.put(ctx, in, out)
	if err != nil {
		return 0, err
	}
	defer stop()
	const customers = 4
	loads := make([]*load, customers)
	var all sync.WaitGroup
	for i := range loads {
		l := newLoad(Config{Seed: seed}, b.shop.plan, b.shop.directory)
		l.dice = newDice(seed, "bench-"+strconv.Itoa(i))
		loads[i] = l
		all.Go(func() {
			for k := i; k < requests && ctx.Err() == nil; k += customers {
				l.request(ctx, l.plan.entry(l.dice), l.plan.visit(l.dice))
			}
		})
	}
	all.Wait()
	for _, l := range loads {
		failed += int(l.failures.Load())
	}
	return failed, ctx.Err()
}

// put arranges the shop, and returns what ends the backup, if it runs.
func (b *Bench) put(ctx context.Context, in, out []condition.Condition) (stop func(), err error) {
	s := b.shop
	serving := make(map[string]string)
	for _, svc := range s.story.services {
		serving[svc.name] = svc.version
	}
	s.flags.set(flagBulkQuote, 0)
	s.flags.set(flagExpressShipping, 0)
	backups := false
	for _, c := range slices.Concat(in, out) {
		if !slices.Contains(b.Conditions(), c) {
			return nil, fmt.Errorf("the shop cannot put %s in force", c)
		}
	}
	for _, c := range out {
		if all := versions(c.Entity); c.Dimension == "service.version" && len(all) > 1 {
			serving[c.Entity] = all[1-slices.Index(all, c.Value)]
		}
	}
	for _, c := range in {
		flag, isFlag := strings.CutPrefix(c.Dimension, "flag ")
		switch {
		case c.Dimension == "service.version":
			serving[c.Entity] = c.Value
		case isFlag:
			s.flags.set(flag, 100)
		default:
			backups = true
		}
	}
	for service, version := range serving {
		var addresses []string
		for _, in := range b.rows[service][version] {
			addresses = append(addresses, in.address)
		}
		s.directory.set(service, addresses)
	}
	if !backups {
		return func() {}, nil
	}
	return b.backup(ctx), nil
}

// backup copies the orders database again and again until it is stopped.
func (b *Bench) backup(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var job sync.WaitGroup
	job.Go(func() {
		for ctx.Err() == nil {
			if err := backup(ctx, b.shop.ledger, filepath.Join(b.shop.scrap, "orders-backup.db")); err != nil && ctx.Err() == nil {
				b.shop.logger.WarnContext(ctx, "backup failed", "error", err)
				return
			}
		}
	})
	return func() {
		cancel()
		job.Wait()
	}
}
