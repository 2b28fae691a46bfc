package ingest

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A border is where OTLP becomes telemetry. In one walk over a request it
// rejects what is invalid, cuts what exceeds a bound, removes what must not be
// kept, and builds the batch. It changes the request in place, so that what is
// journaled afterwards is what was checked; walking over the result again, as
// a restart does, gives the same batch. It is safe for concurrent use.
type border struct {
	bounds Bounds
	rules  *redactor
	words  *vocabulary
	m      *metrics

	// Texts without a key.
	spanNames, eventNames, messages, metricNames, units *word

	seed      maphash.Seed
	mu        sync.Mutex
	resources map[uint64]*telemetry.Resource // by hash of their attributes
}

// maxResources bounds the resources that are shared between batches. When it
// is reached they are forgotten and learnt anew.
const maxResources = 10_000

func newBorder(bounds Bounds, rules *redactor, m *metrics) *border {
	return &border{
		bounds: bounds, rules: rules, m: m,
		words:     newVocabulary(bounds.Keys, rules),
		spanNames: newWord("span name", false), eventNames: newWord("event name", false),
		messages: newWord("status message", false), metricNames: newWord("metric name", false), units: newWord("unit", false),
		seed: maphash.MakeSeed(), resources: make(map[uint64]*telemetry.Resource),
	}
}

// A reason says why an item was rejected.
type reason int

const (
	badID reason = iota
	badTime
	badValue
	badChange
	reasonCount
)

func (r reason) String() string {
	return [...]string{"id", "time", "value", "change"}[r]
}

// A part is what was cut or left out of an item that was accepted.
type part int

const (
	partAttribute part = iota // beyond the bound on attributes
	partKey                   // beyond the bound on distinct keys, or no valid key
	partValue                 // cut
	partNested                // nested too deep
	partEvent
	partLink
	partCount
)

func (p part) String() string {
	return [...]string{"attribute", "key", "value", "nested", "event", "link"}[p]
}

// A walk is one request on its way over the border.
type walk struct {
	b        *border
	at       time.Time
	min, max uint64 // times that are believed, in unix nanoseconds

	rejected    [reasonCount]int
	parts       [partCount]uint32
	redacted    hits
	first, last uint64 // times seen
	bytes       int64  // estimated memory of what was built
}

// begin starts a walk for what arrived at the time at. The caller ends it with
// end.
func (b *border) begin(at time.Time) *walk {
	b.words.mu.RLock()
	return &walk{
		b: b, at: at,
		min: uint64(oldest().UnixNano()), max: uint64(at.Add(b.bounds.Future).UnixNano()),
		first: math.MaxUint64,
	}
}

// end gives up what begin took.
func (w *walk) end() { w.b.words.mu.RUnlock() }

// received wraps what the walk built.
func (w *walk) received(batch telemetry.Batch) Received {
	r := Received{Batch: batch, At: w.at, Bytes: w.bytes}
	if w.last > 0 {
		r.First, r.Last = fromNano(w.first), fromNano(w.last)
	}
	return r
}

// count adds the walk's figures to the metrics.
func (w *walk) count(s signal) {
	for i, n := range w.rejected {
		if n > 0 {
			w.b.m.rejected.WithLabelValues(string(s), reason(i).String()).Add(float64(n))
		}
	}
	for i, n := range w.parts {
		if n > 0 {
			w.b.m.truncated.WithLabelValues(part(i).String()).Add(float64(n))
		}
	}
	countHits(w.b.m, &w.redacted)
}

func countHits(m *metrics, h *hits) {
	for i, n := range h {
		if n > 0 {
			m.redacted.WithLabelValues(ruleName(i)).Add(float64(n))
		}
	}
}

// refusal describes the items that were rejected, or is nil if there are none.
func (w *walk) refusal() error {
	var parts []string
	for i, n := range w.rejected {
		if n == 0 {
			continue
		}
		text := map[reason]string{
			badID:     "without a valid trace id and span id",
			badTime:   fmt.Sprintf("with a time that is not between %s and %s (check the sender's clock)", oldest().Format(time.DateOnly), fromNano(w.max).Format(time.RFC3339)),
			badValue:  "with a value that is no number",
			badChange: "that are no valid change",
		}[reason(i)]
		parts = append(parts, fmt.Sprintf("%d items %s", n, text))
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New("nothing in the request can be accepted: " + strings.Join(parts, ", "))
}

func fromNano(ns uint64) time.Time { return time.Unix(0, int64(ns)).UTC() }

// believed reports whether a time is within the bounds.
func (w *walk) believed(ns uint64) bool { return ns >= w.min && ns <= w.max }

// saw notes the time of an accepted item.
func (w *walk) saw(ns uint64) {
	w.first = min(w.first, ns)
	w.last = max(w.last, ns)
}

// attributes checks a map and returns it as telemetry, and how many of its
// attributes were left out.
func (w *walk) attributes(m pcommon.Map) (telemetry.Attributes, uint32) {
	n := m.Len()
	if n == 0 {
		return nil, 0
	}
	list := make(telemetry.Attributes, 0, min(n, w.b.bounds.Attributes))
	var dropped uint32
	m.RemoveIf(func(key string, v pcommon.Value) bool {
		if v.Type() == pcommon.ValueTypeEmpty {
			return true // an attribute without a value says nothing
		}
		if len(list) == w.b.bounds.Attributes {
			w.parts[partAttribute]++
			dropped++
			return true
		}
		kw := w.b.words.words[key]
		if kw == nil {
			if kw = w.b.words.learn(key, w.b.bounds.ValueBytes); kw == nil {
				w.parts[partKey]++
				dropped++
				return true
			}
		}
		list = insert(list, telemetry.Attribute{Key: kw.text, Value: w.value(kw, v)})
		return false
	})
	w.bytes += int64(32 * cap(list))
	if len(list) == 0 {
		return nil, dropped
	}
	return list, dropped
}

// insert keeps list sorted by key, and the last of equal keys. Senders tend to
// send their attributes in one order, and lists are short, so this is cheaper
// than to sort.
func insert(list telemetry.Attributes, a telemetry.Attribute) telemetry.Attributes {
	i := len(list)
	for i > 0 && list[i-1].Key > a.Key {
		i--
	}
	if i > 0 && list[i-1].Key == a.Key {
		list[i-1] = a
		return list
	}
	list = append(list, a)
	copy(list[i+1:], list[i:])
	list[i] = a
	return list
}

// resource returns the telemetry form of a resource. Equal resources share a
// pointer, also between batches.
func (w *walk) resource(r pcommon.Resource) *telemetry.Resource {
	attributes, _ := w.attributes(r.Attributes())
	var h maphash.Hash
	h.SetSeed(w.b.seed)
	for _, a := range attributes {
		h.WriteString(a.Key)
		h.WriteByte(0)
		h.WriteString(a.Value)
		h.WriteByte(0)
	}
	sum := h.Sum64()
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if known, ok := w.b.resources[sum]; ok && sameAttributes(known.Attributes, attributes) {
		return known
	}
	if len(w.b.resources) >= maxResources {
		clear(w.b.resources)
	}
	res := newResource(attributes)
	w.b.resources[sum] = res
	return res
}

func sameAttributes(a, b telemetry.Attributes) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// newResource names the sender by its attributes, in their current and older
// names.
func newResource(a telemetry.Attributes) *telemetry.Resource {
	res := &telemetry.Resource{
		Service:     a.First(attr.ServiceName),
		Namespace:   a.First(attr.ServiceNamespace),
		Version:     a.First(attr.ServiceVersion),
		Instance:    a.First(attr.ServiceInstanceID, attr.K8SPodName, attr.HostName),
		Environment: a.First(attr.DeploymentEnvironmentName, "deployment.environment"),
		Attributes:  a,
	}
	if res.Service == "" {
		res.Service = "unknown_service"
	}
	return res
}

// scope empties what would be journaled of an instrumentation scope: it is not
// part of telemetry.
func (w *walk) scope(s pcommon.InstrumentationScope) {
	s.SetName("")
	s.SetVersion("")
	if s.Attributes().Len() > 0 {
		s.Attributes().Clear()
	}
}
