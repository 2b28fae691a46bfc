package app

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// saveEvery is how often what phases must not forget is written: what a crash loses
// of the budget at most.
const saveEvery = 10 * time.Minute

// ledgerFile is where that is, in the data directory.
func (a *App) ledgerFile() string { return filepath.Join(a.options.Data, "phases.json.gz") }

// loadLedger takes up what an earlier process wrote. A file that cannot be read is
// kept under another name.
func (a *App) loadLedger(ctx context.Context) error {
	name := a.ledgerFile()
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("phase ledger: %w", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = a.pipeline.Phases().Load(z)
	}
	if err == nil {
		return nil
	}
	a.log.ErrorContext(ctx, "the phase ledger cannot be read; the budget begins anew", "error", err, "kept", name+".damaged")
	if err := os.Rename(name, name+".damaged"); err != nil {
		return fmt.Errorf("phase ledger: %w", err)
	}
	return nil
}

// keepLedger writes it every now and then, until ctx ends.
func (a *App) keepLedger(ctx context.Context) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := a.saveLedger(); err != nil {
				a.log.ErrorContext(ctx, "phase ledger not saved; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// saveLedger writes it, all of it or nothing.
func (a *App) saveLedger() error {
	name := a.ledgerFile()
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("phase ledger: %w", err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed) // the level is one
	if err := errors.Join(a.pipeline.Phases().Save(z), z.Close(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("phase ledger: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("phase ledger: %w", err)
	}
	return nil
}
