package phase

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"example.test/eddy/phase/wire"
)

// memory is what a watch keeps on disk: what it knew last.
type memory struct {
	Contract string        `json:"contract"`
	Records  []wire.Record `json:"records"`
}

// file is where the watch keeps what it knew last.
func (w *Watch) file() string {
	if w.client.config.StateDir == "" {
		return ""
	}
	return filepath.Join(w.client.config.StateDir, "phase-"+wire.Hash(w.name+"\x00"+w.selector+"\x00"+w.role.Name)+".json")
}

// remember takes up what was known last. None of it is believed: it is what
// panic mode falls back to, and the highest epoch that was seen.
func (w *Watch) remember() {
	path := w.file()
	if path == "" {
		return
	}
	text, err := os.ReadFile(path)
	var m memory
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.client.config.Log.WarnContext(w.ctx, "last known phases cannot be read", "path", path, "error", err)
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range m.Records {
		if f := w.learn(r); Epoch(r.Epoch) > f.belief.Floor {
			f.belief.Floor = Epoch(r.Epoch)
			f.last = Name(r.Phase)
		}
	}
}

// save writes what is known if it has changed, whole or not at all. The caller
// holds the lock.
func (w *Watch) save() {
	path := w.file()
	if path == "" || !w.unsaved {
		return
	}
	w.unsaved = false
	m := memory{Contract: w.contract.ID()}
	for _, f := range w.subjects {
		if f.record.Epoch > 0 {
			m.Records = append(m.Records, f.record)
		}
	}
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		w.client.config.Log.WarnContext(w.ctx, "last known phases are not kept", "path", path, "error", err)
	}
}
