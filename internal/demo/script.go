package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"example.test/eddy/internal/telemetry"
)

// A step is one thing that happens to the shop.
type step struct {
	// at is when, in beats (Config.Pace) from the opening.
	at   float64
	play func(context.Context) error
	// trouble: from here on requests fail for the story's reason.
	trouble bool
}

// trouble marks the last of steps.
func trouble(steps []step) []step {
	steps[len(steps)-1].trouble = true
	return steps
}

// Whether a change is reported as an event, or left to be inferred.
const (
	told   = true
	untold = false
)

// perform plays the steps at their times, one after the other, until ctx ends.
// A step that takes long delays the next. It ends at the first step that
// fails.
func (s *Shop) perform(ctx context.Context, steps []step) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for _, step := range steps {
		wait.Reset(time.Until(s.opened.Add(time.Duration(step.at * float64(s.cfg.Pace)))))
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if err := step.play(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if step.trouble {
			close(s.trouble)
		}
	}
	return nil
}

// pausedAfter is how many instances a rollout reaches before it is paused, as a
// careful team does. Two and not one, so that the new version is never the same
// thing as an instance.
const pausedAfter = 2

// rollout replaces instances in the seed's order, a beat apart.
func (s *Shop) rollout(at float64, service, version string, reported bool) []step {
	var steps []step
	for i := range pausedAfter {
		steps = append(steps, step{at: at + float64(i), play: func(ctx context.Context) error {
			if i == 0 && reported {
				s.reporter.upgraded(time.Now(), service, version)
			}
			return s.upgrade(ctx, service, version, i)
		}})
	}
	return steps
}

// upgrade replaces one instance: the new one serves before the old one leaves.
func (s *Shop) upgrade(ctx context.Context, service, version string, nth int) error {
	row := s.instances[service]
	i := s.plan.rollouts[service][nth]
	old := row[i]
	next, err := s.listen(ctx, old.of, old.instance, version)
	if err != nil {
		return fmt.Errorf("upgrade %s to %s: %w", old.instance, version, err)
	}
	s.directory.replace(service, old.address, next.address)
	row[i] = next
	s.say("%s %s -> %s on %s (%d of %d)", service, old.version, version, old.instance, nth+1, len(row))

	s.retired.Go(func() { s.retire(ctx, old) })
	return nil
}

// retire stops an instance that has left the directory.
func (s *Shop) retire(ctx context.Context, old *instance) {
	drain := time.NewTimer(drainFor)
	defer drain.Stop()
	select {
	case <-drain.C:
	case <-ctx.Done():
	}
	// Connections that were opened in advance and never used would hold the
	// server up for five seconds (see http.Server.Shutdown on StateNew).
	s.directory.closeIdle()
	ctx = context.WithoutCancel(ctx)
	if err := errors.Join(old.stop(ctx), old.close(ctx)); err != nil {
		s.logger.WarnContext(ctx, "old instance did not stop cleanly", "instance", old.instance, "version", old.version, "error", err)
	}
}

// setFlag turns a flag of a service on for percent of the users.
func (s *Shop) setFlag(service, flag string, percent int, reported bool) func(context.Context) error {
	return func(context.Context) error {
		s.flags.set(flag, percent)
		s.say("flag %s of %s: on for %d %% of users", flag, service, percent)
		if reported {
			s.reporter.report(telemetry.Change{
				Time: time.Now(), Kind: telemetry.ChangeFlag, Entity: service,
				Dimension: "flag " + flag, Value: "on", Previous: "off", Actor: "mira",
				Summary: "on for " + strconv.Itoa(percent) + " % of users",
			})
		}
		return nil
	}
}

// setPatience changes how long a service waits for others. It is far more than
// any call takes, before and after.
func (s *Shop) setPatience(service string, to time.Duration) func(context.Context) error {
	return func(context.Context) error {
		before := s.patience[service].get()
		s.patience[service].set(to)
		s.say("config of %s: http.client.timeout %v -> %v", service, before, to)
		s.reporter.report(telemetry.Change{
			Time: time.Now(), Kind: telemetry.ChangeConfig, Entity: service,
			Dimension: "config http.client.timeout", Value: to.String(), Previous: before.String(), Actor: "tomas",
		})
		return nil
	}
}

// startBackup copies the orders database, as the nightly job does. Until
// finishBackup the job is busy with its copy.
func (s *Shop) startBackup(ctx context.Context) error {
	s.say("nightly-backup started on %s", ledgerName)
	s.reporter.report(telemetry.Change{
		Time: time.Now(), Kind: telemetry.ChangeSchedule, Entity: ledgerName,
		Dimension: "nightly-backup", Value: "running",
	})
	if err := backup(ctx, s.ledger, filepath.Join(filepath.Dir(s.ledger), "orders-backup.db")); err != nil {
		return fmt.Errorf("nightly-backup: %w", err)
	}
	return nil
}

func (s *Shop) finishBackup(context.Context) error {
	s.say("nightly-backup finished on %s", ledgerName)
	s.reporter.report(telemetry.Change{
		Time: time.Now(), Kind: telemetry.ChangeSchedule, Entity: ledgerName,
		Dimension: "nightly-backup", Previous: "running", Ends: true,
	})
	return nil
}

// spoilStock is what no record tells; the transcript says it, because whoever
// reads the transcript wants to know how the story was.
func (s *Shop) spoilStock(context.Context) error {
	s.stock.spoil(s.plan.spoiled)
	s.say("stock sync was cut off: shard %d of %d cannot be read (no telemetry says so)", s.plan.spoiled, shards)
	return nil
}
