package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"example.test/eddy/internal/telemetry"
)

// An UnknownTypeError says that a CloudEvent is of a type that is no change.
type UnknownTypeError struct {
	Item  int
	Type  string
	Known []string
}

// Error names the type.
func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("item %d: event type %q: want one of the known types, with any version", e.Item, clip(e.Type))
}

// A cdEvent is the data of a CDEvent, as far as it is read.
type cdEvent struct {
	Context struct {
		ID        string `json:"id"`
		Source    string `json:"source"`
		Timestamp string `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		ID      string  `json:"id"`
		Content content `json:"content"`
	} `json:"subject"`
}

// content is the part of a CDEvent that depends on its type.
type content map[string]any

// text returns the first of the fields that is there, as text.
func (c content) text(fields ...string) string {
	for _, f := range fields {
		switch v := c[f].(type) {
		case string:
			if v != "" {
				return v
			}
		case float64, bool:
			// Both are their JSON form; a decoded number always has one.
			if data, err := json.Marshal(v); err == nil {
				return string(data)
			}
		}
	}
	return ""
}

// id returns the id of a reference such as {"environment": {"id": "prod"}}.
func (c content) id(field string) string {
	ref, ok := c[field].(map[string]any)
	if !ok {
		return ""
	}
	return content(ref).text("id")
}

// A rule says what an event type means as a change.
type rule struct {
	kind   telemetry.ChangeKind
	prefix string   // of the dimension
	noun   []string // the fields that name the thing within the dimension
	// entity says that the subject's id is the entity; else it is the thing.
	entity  bool
	values  []string // the fields that hold the state, the first one first
	value   string   // the state if none of them is there
	ends    bool     // the state ends
	version bool     // the state is the version in artifactId
}

const (
	cdPrefix   = "dev.cdevents."
	eddyPrefix = "dev.cdeventsx.eddy-"
)

// rules maps event types, without their version, to what they mean.
func rules() map[string]rule {
	config := rule{kind: telemetry.ChangeConfig, prefix: "config ", noun: []string{"key", "name"}, values: []string{"value"}}
	flag := rule{kind: telemetry.ChangeFlag, prefix: "flag ", noun: []string{"key", "name"}, values: []string{"variant", "value"}}
	schedule := rule{kind: telemetry.ChangeSchedule, noun: []string{"job", "name"}, values: []string{"state", "value"}, value: "running"}
	policy := rule{kind: telemetry.ChangePolicy, prefix: "policy ", noun: []string{"policy", "name"}, values: []string{"value", "version"}}
	rotation := rule{kind: telemetry.ChangeRotation, prefix: "key ", noun: []string{"key", "name"}, values: []string{"version", "value"}}
	scale := rule{kind: telemetry.ChangeScale, prefix: "replicas", entity: true, values: []string{"replicas", "value"}}
	phase := rule{kind: telemetry.ChangePhase, prefix: "phase", entity: true, values: []string{"phase", "value"}}
	service := rule{kind: telemetry.ChangeDeploy, prefix: "service.version", entity: true, version: true, values: []string{"version"}}
	published := rule{kind: telemetry.ChangeDeploy, prefix: "service.published", entity: true, value: "true"}
	environment := rule{kind: telemetry.ChangeConfig, prefix: "environment", entity: true}

	out := map[string]rule{
		cdPrefix + "service.deployed":     service,
		cdPrefix + "service.upgraded":     service,
		cdPrefix + "service.rolledback":   service,
		cdPrefix + "service.removed":      ending(service),
		cdPrefix + "service.published":    published,
		cdPrefix + "environment.created":  valued(environment, "created"),
		cdPrefix + "environment.modified": valued(environment, "modified"),
		cdPrefix + "environment.deleted":  ending(environment),
	}
	for name, r := range map[string]rule{
		"config.created": config, "config.changed": config, "config.deleted": ending(config),
		"featureflag.created": flag, "featureflag.changed": flag, "featureflag.deleted": ending(flag),
		"featureflag.enabled": valued(flag, "on"), "featureflag.disabled": valued(flag, "off"),
		"schedule.started": schedule, "schedule.finished": ending(schedule),
		"policy.created": policy, "policy.changed": policy, "policy.deleted": ending(policy),
		"rotation.started": valued(rotation, "rotating"), "rotation.finished": rotation, "rotation.rotated": rotation,
		"scale.changed":   scale,
		"phase.announced": phase, "phase.observed": phase, "phase.ended": ending(phase),
	} {
		out[eddyPrefix+name] = r
	}
	return out
}

func ending(r rule) rule {
	r.ends = true
	return r
}

func valued(r rule, value string) rule {
	r.value = value
	return r
}

// eventTypes lists the known event types, without their version.
func eventTypes() []string {
	var names []string
	for name := range rules() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// changeFromEvent reads a change from a CloudEvent that carries a CDEvent.
func changeFromEvent(e *event.Event) (*telemetry.Change, error) {
	if err := e.Validate(); err != nil {
		return nil, wrong("", "no valid CloudEvent: %s", sortedLines(err))
	}
	r, ok := rules()[withoutVersion(e.Type())]
	if !ok {
		return nil, &UnknownTypeError{Type: e.Type(), Known: eventTypes()}
	}
	var data cdEvent
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return nil, wrong("data", "want a CDEvent as JSON, with context and subject: %v", err)
	}
	if data.Subject.ID == "" {
		data.Subject.ID = e.Subject()
	}
	if data.Subject.ID == "" {
		return nil, wrong("subject.id", "missing: want what the event is about")
	}
	c, err := r.change(&data)
	if err != nil {
		return nil, err
	}
	if err := identify(c, e, &data); err != nil {
		return nil, err
	}
	return finish(c)
}

// sortedLines makes the text of an error that was gathered in a map stable.
func sortedLines(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// identify sets the time, id and source. An event is unique by source and id.
func identify(c *telemetry.Change, e *event.Event, data *cdEvent) error {
	id, source := data.Context.ID, data.Context.Source
	if id == "" {
		id = e.ID()
	}
	if source == "" {
		source = e.Source()
	}
	c.ID, c.Source = source+"#"+id, source
	c.Time = e.Time().UTC()
	if data.Context.Timestamp != "" {
		when, err := parseTime("context.timestamp", data.Context.Timestamp)
		if err != nil {
			return err
		}
		c.Time = when
	}
	if c.Time.IsZero() {
		return wrong("time", "missing: want the event's time, or context.timestamp in its data")
	}
	return nil
}

// withoutVersion returns an event type without the version at its end, in
// whatever form: "0.3.0", "0.6.0-draft", "0.1.0-rc.1". The words of a type do
// not begin with digits; what follows the first one that does is the version.
func withoutVersion(name string) string {
	parts := strings.Split(name, ".")
	i := slices.IndexFunc(parts, func(p string) bool { return p != "" && digit(p[0]) })
	if i < 0 {
		return name
	}
	return strings.Join(parts[:i], ".")
}

// change applies the rule. What the sender names explicitly wins.
func (r rule) change(e *cdEvent) (*telemetry.Change, error) {
	in := e.Subject.Content
	c := &telemetry.Change{
		Kind: r.kind, Instance: in.text("instance"), Ends: r.ends,
		Previous: in.text("previous"), Actor: in.text("actor"), Summary: in.text("summary"), URL: in.text("url"),
		Entity: in.text("entity", "service"), Dimension: in.text("dimension"),
	}
	noun := in.text(r.noun...)
	switch {
	case r.entity && c.Entity == "":
		c.Entity = lastSegment(e.Subject.ID)
	case !r.entity && noun == "":
		noun = e.Subject.ID
	case !r.entity && c.Entity == "" && r.kind == telemetry.ChangeSchedule:
		c.Entity = lastSegment(e.Subject.ID)
	}
	if c.Dimension == "" {
		c.Dimension = r.prefix + noun
	}
	if r.ends {
		return c, nil
	}
	c.Value = in.text(r.values...)
	if r.version {
		if version, err := purlVersion(in.text("artifactId")); err == nil {
			c.Value = version
		} else if c.Value == "" {
			return nil, wrong("subject.content.artifactId", "%v", err)
		}
	}
	if c.Value == "" {
		c.Value = r.value
	}
	if c.Value == "" {
		return nil, wrong("subject.content."+r.values[0], "missing: want the state now in force")
	}
	if where := in.id("environment"); where != "" && c.Summary == "" {
		c.Summary = "in " + where
	}
	return c, nil
}

// lastSegment returns what follows the last slash: CDEvents ids are often
// paths.
func lastSegment(id string) string {
	id = strings.TrimRight(id, "/")
	return id[strings.LastIndexByte(id, '/')+1:]
}

// purlVersion returns the version in a package URL. For an image that is named
// by its digest that is the tag, if there is one, because that is what services
// call their version.
func purlVersion(purl string) (string, error) {
	const want = `want a package URL with a version, such as "pkg:oci/cart@2.4.0"`
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return "", fmt.Errorf("%q: %s", clip(purl), want)
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	at := strings.LastIndexByte(path, '@')
	var version string
	if at >= 0 {
		var err error
		if version, err = url.PathUnescape(path[at+1:]); err != nil {
			return "", fmt.Errorf("%q: %s", clip(purl), want)
		}
	}
	if version == "" || strings.HasPrefix(version, "sha256:") {
		if values, err := url.ParseQuery(query); err == nil && values.Get("tag") != "" {
			version = values.Get("tag")
		}
	}
	if version == "" {
		return "", fmt.Errorf("%q: %s", clip(purl), want)
	}
	return version, nil
}

// parseEvents reads CloudEvents in structured mode: one object, or an array.
func parseEvents(data []byte) ([]*telemetry.Change, error) {
	items, err := jsonItems(data)
	if err != nil {
		return nil, err
	}
	out := make([]*telemetry.Change, 0, len(items))
	for i, item := range items {
		e := event.New()
		if err := json.Unmarshal(item, &e); err != nil {
			return nil, &ChangeError{Item: i, Text: "no valid CloudEvent: " + sortedLines(err)}
		}
		c, err := changeFromEvent(&e)
		if err != nil {
			return nil, atEvent(i, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func atEvent(item int, err error) error {
	var unknown *UnknownTypeError
	if errors.As(err, &unknown) {
		unknown.Item = item
		return unknown
	}
	return atItem(item, err)
}
