package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A ChangeError says what is wrong with a change that was sent.
type ChangeError struct {
	Item  int    // its place in the request, from 0
	Field string // may be empty
	Text  string // what is wrong, and what was expected
}

// Error names the item, the field and the problem.
func (e *ChangeError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("item %d: %s", e.Item, e.Text)
	}
	return fmt.Sprintf("item %d: field %q: %s", e.Item, e.Field, e.Text)
}

func wrong(field, format string, args ...any) *ChangeError {
	return &ChangeError{Field: field, Text: fmt.Sprintf(format, args...)}
}

// ParseChanges reads one change, or an array of them, in Eddy's own JSON form:
// the fields of telemetry.Change by their JSON names. It is strict: a field
// that is unknown, missing or of the wrong type is a *ChangeError. A change
// without a time came into force at the given one; if that is zero, as for a
// file, the time must be there.
func ParseChanges(data []byte, at time.Time) ([]*telemetry.Change, error) {
	items, err := jsonItems(data)
	if err != nil {
		return nil, err
	}
	out := make([]*telemetry.Change, 0, len(items))
	for i, item := range items {
		c, err := parseChange(item, at)
		if err != nil {
			return nil, atItem(i, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// at says which item an error is about.
func atItem(item int, err error) error {
	var ce *ChangeError
	if errors.As(err, &ce) {
		ce.Item = item
		return ce
	}
	return fmt.Errorf("item %d: %w", item, err)
}

// jsonItems returns the elements of an array, or what is not an array as the
// only one.
func jsonItems(data []byte) ([]json.RawMessage, error) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil, &ChangeError{Text: "empty: want a JSON object or an array of them"}
	}
	if data[0] != '[' {
		return []json.RawMessage{data}, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, &ChangeError{Text: "no valid JSON: " + err.Error()}
	}
	return items, nil
}

func parseChange(data []byte, at time.Time) (*telemetry.Change, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, wrong("", "no valid JSON object: %v", err)
	}
	var c telemetry.Change
	var when string
	targets := map[string]any{
		"id": &c.ID, "time": &when, "kind": (*string)(&c.Kind), "entity": &c.Entity, "instance": &c.Instance,
		"dimension": &c.Dimension, "value": &c.Value, "previous": &c.Previous, "ends": &c.Ends,
		"origin": (*string)(&c.Origin), "source": &c.Source, "actor": &c.Actor, "summary": &c.Summary, "url": &c.URL,
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		target, known := targets[name]
		if !known {
			return nil, wrong(name, "unknown: want one of %s", strings.Join(slices.Sorted(maps.Keys(targets)), ", "))
		}
		if err := json.Unmarshal(fields[name], target); err != nil {
			want := `a text, such as "3"`
			if name == "ends" {
				want = "true or false"
			}
			return nil, wrong(name, "%s: want %s", clip(string(fields[name])), want)
		}
	}
	if c.Origin != "" && c.Origin != telemetry.OriginReported {
		return nil, wrong("origin", "%q: want %q or nothing: the others are Eddy's own", clip(string(c.Origin)), telemetry.OriginReported)
	}
	var err error
	if when == "" && !at.IsZero() {
		c.Time = at
		return finish(&c)
	}
	if c.Time, err = parseTime("time", when); err != nil {
		return nil, err
	}
	return finish(&c)
}

// clip keeps what is quoted in an error short.
func clip(s string) string {
	if len(s) > 64 {
		return shorten(s, 64) + "..."
	}
	return s
}

// parseTime reads an RFC 3339 time.
func parseTime(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, wrong(field, "missing: want when the state came into force, such as %q", "2026-03-01T14:03:00Z")
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, wrong(field, "%q: want RFC 3339, such as %q", clip(s), "2026-03-01T14:03:00Z")
	}
	return t.UTC(), nil
}

// finish checks what every form of change must have, and gives it an id and an
// origin.
func finish(c *telemetry.Change) (*telemetry.Change, error) {
	kinds := telemetry.ChangeKinds()
	switch {
	case !slices.Contains(kinds, c.Kind):
		var names []string
		for _, k := range kinds {
			names = append(names, string(k))
		}
		return nil, wrong("kind", "%q: want one of %s", clip(string(c.Kind)), strings.Join(names, ", "))
	case c.Dimension == "":
		return nil, wrong("dimension", `missing: want what changed, such as "service.version"`)
	case c.Value == "" && !c.Ends:
		return nil, wrong("value", `missing: want the state now in force, or "ends": true if none is`)
	case c.Value != "" && c.Ends:
		return nil, wrong("ends", "true with value %q: a change either sets a state or ends it", clip(c.Value))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil, wrong("url", "%q: want an http or https address", clip(c.URL))
		}
	}
	c.Origin = telemetry.OriginReported
	if c.ID == "" {
		c.ID = contentID(c)
	}
	return c, nil
}

// contentID is the id of an event whose sender gave none: the same content has
// the same id, so that it counts once.
func contentID(c *telemetry.Change) string {
	content := *c
	content.ID = ""
	// A struct of texts, a time within 0 to 9999 and a bool always encodes.
	data, err := json.Marshal(content)
	if err != nil {
		data = fmt.Append(nil, content)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// checkChange applies the bounds and the redaction rules to a change.
func (w *walk) checkChange(c *telemetry.Change) error {
	ns := c.Time.UnixNano()
	if y := c.Time.Year(); y < oldest().Year() || y > 2261 || !w.believed(uint64(ns)) {
		return wrong("time", "%s: want between %s and %s (check the sender's clock)",
			c.Time.Format(time.RFC3339), oldest().Format(time.DateOnly), fromNano(w.max).Format(time.RFC3339))
	}
	for _, f := range []struct {
		name string
		text *string
	}{
		{"id", &c.ID},
		{"entity", &c.Entity},
		{"instance", &c.Instance},
		{"dimension", &c.Dimension},
		{"value", &c.Value},
		{"previous", &c.Previous},
		{"url", &c.URL},
	} {
		// These name a state: cut, they would name another one.
		if len(*f.text) > w.b.bounds.ValueBytes {
			return wrong(f.name, "%d bytes: want at most %d", len(*f.text), w.b.bounds.ValueBytes)
		}
		*f.text = w.clean(*f.text, w.b.bounds.ValueBytes)
	}
	for _, text := range []*string{&c.Source, &c.Actor, &c.Summary} {
		*text = w.clean(*text, w.b.bounds.ValueBytes)
	}
	// What a rotation reports of a key is its version, never the key.
	if c.Kind != telemetry.ChangeRotation && w.b.rules.secretKey(c.Dimension) {
		for _, text := range []*string{&c.Value, &c.Previous} {
			if *text != "" && *text != Redacted {
				*text = Redacted
				w.redacted[ruleKey]++
			}
		}
	}
	w.saw(uint64(ns))
	w.bytes += int64(256 + len(c.ID) + len(c.Summary) + len(c.URL))
	return nil
}

// changeFromLog reads a change from a log event named attr.EventChange. The state came into force at
// the record's time. Without an entity it is the emitting service's.
func changeFromLog(l *telemetry.Log) (*telemetry.Change, error) {
	get := func(name string) string { return l.Attributes.First(name) }
	c := &telemetry.Change{
		ID: get(attr.ChangeID), Time: l.Time, Kind: telemetry.ChangeKind(get(attr.ChangeKind)),
		Instance: get(attr.ChangeInstance), Dimension: get(attr.ChangeDimension), Value: get(attr.ChangeValue), Previous: get(attr.ChangePrevious),
		Ends: get(attr.ChangeEnds) == "true", Source: get(attr.ChangeSource), Actor: get(attr.ChangeActor),
		Summary: get(attr.ChangeSummary), URL: get(attr.ChangeURL),
	}
	entity, ok := l.Attributes.Get(attr.ChangeEntity)
	if !ok {
		entity = l.Resource.Service
	}
	c.Entity = entity
	if c.Source == "" {
		c.Source = l.Resource.Service
	}
	if c.Summary == "" {
		c.Summary = l.Body
	}
	return finish(c)
}
