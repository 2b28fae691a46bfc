package demo

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// The shop's feature flags.
const (
	flagBulkQuote       = "bulk-quote"
	flagExpressShipping = "express-shipping"
)

// flags is the shop's flag provider: each flag is on for a share of the
// users, by a hash of the user, so that both variants are served at any time.
// It is safe for concurrent use.
type flags struct {
	// silent leaves out the evaluation events.
	silent bool

	mu sync.RWMutex
	on map[string]int // percent of users, by flag
}

func newFlags(silent bool) *flags {
	return &flags{silent: silent, on: make(map[string]int)}
}

// set turns a flag on for percent of the users.
func (f *flags) set(flag string, percent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on[flag] = percent
}

// enabled evaluates flag for user, and tells both on the current span and as a
// log event, as OpenFeature's OpenTelemetry hooks do.
func (f *flags) enabled(ctx context.Context, emit *emitter, flag, user string) bool {
	f.mu.RLock()
	percent := f.on[flag]
	f.mu.RUnlock()
	on := int(hashOf(flag+"/"+user)>>16%100) < percent
	if f.silent {
		return on
	}
	variant := "off"
	if on {
		variant = "on"
	}
	attributes := []attribute.KeyValue{
		semconv.FeatureFlagKey(flag),
		semconv.FeatureFlagResultVariant(variant),
		semconv.FeatureFlagProviderName("shopflags"),
		semconv.FeatureFlagResultReasonSplit,
		semconv.FeatureFlagContextID(user),
	}
	trace.SpanFromContext(ctx).AddEvent("feature_flag.evaluation", trace.WithAttributes(attributes...))
	var r log.Record
	r.SetTimestamp(time.Now())
	r.SetEventName("feature_flag.evaluation")
	r.SetSeverity(log.SeverityDebug)
	r.SetBody(attribute.StringValue("flag " + flag + " is " + strconv.Quote(variant)))
	r.AddAttributes(attributes...)
	emit.logger.Emit(ctx, r)
	return on
}
