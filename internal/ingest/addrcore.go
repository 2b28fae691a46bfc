package ingest

import (
	"log/slog"
	"strings"
	"sync"

	"go.uber.org/zap/zapcore"
)

// An addrCore receives what the receiver logs. Warnings and errors go on to our
// log. And it notes the addresses: the receiver opens its listeners itself and
// says where they are in its log only, which matters when port 0 was asked for.
// Start fails if these lines do not come, so a new version of the receiver
// that words them differently is noticed at once.
type addrCore struct {
	log *slog.Logger

	mu         sync.Mutex
	grpc, http string
}

func newAddrCore(log *slog.Logger) *addrCore { return &addrCore{log: log} }

func (a *addrCore) addrs() (grpc, http string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grpc, a.http
}

// Enabled takes everything that is at least information.
func (a *addrCore) Enabled(level zapcore.Level) bool { return level >= zapcore.InfoLevel }

// With returns the core itself: the fields it would add say nothing new.
func (a *addrCore) With([]zapcore.Field) zapcore.Core { return a }

// Check adds the core to what an entry is written to.
func (a *addrCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if a.Enabled(e.Level) {
		return ce.AddCore(e, a)
	}
	return ce
}

// Write notes an address or passes the entry on.
func (a *addrCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	if endpoint, ok := enc.Fields["endpoint"].(string); ok {
		a.mu.Lock()
		switch {
		case strings.HasPrefix(e.Message, "Starting GRPC server"):
			a.grpc = endpoint
		case strings.HasPrefix(e.Message, "Starting HTTP server"):
			a.http = endpoint
		}
		a.mu.Unlock()
	}
	if e.Level >= zapcore.WarnLevel {
		a.log.Warn("OTLP receiver", "text", e.Message, "fields", enc.Fields)
	}
	return nil
}

// Sync has nothing to do.
func (a *addrCore) Sync() error { return nil }
