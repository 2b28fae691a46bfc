package ingest

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"example.test/eddy/internal/access"
)

// Config says where to listen, what to refuse and where to keep what was
// received. A field that is zero means its default.
type Config struct {
	// GRPC and HTTP are the addresses for OTLP, host:port. The defaults are
	// 127.0.0.1:4317 and 127.0.0.1:4318; port 0 takes a free one; "off" does
	// not listen.
	GRPC string `yaml:"grpc"`
	HTTP string `yaml:"http"`
	// TLS is used on both addresses. Without it connections are plain.
	TLS TLSConfig `yaml:"tls"`
	// InsecureListen allows addresses that other machines can reach without TLS
	// and tokens.
	InsecureListen bool `yaml:"insecure_listen"`

	Bounds  Bounds        `yaml:"bounds"`
	Redact  RedactConfig  `yaml:"redact"`
	Journal JournalConfig `yaml:"journal"`
}

// TLSConfig names the certificate that the server shows.
type TLSConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ClientCAFile, if set, makes clients show a certificate that it signed.
	ClientCAFile string `yaml:"client_ca_file"`
}

// On reports whether connections are encrypted.
func (c TLSConfig) On() bool { return c.CertFile != "" }

// Bounds limit what a sender can make Eddy do. What exceeds a bound is refused
// or shortened, and counted; nothing is dropped without a count.
type Bounds struct {
	// RequestBytes bounds a request after decompression, default 16 MiB. Larger
	// ones are refused for good.
	RequestBytes int `yaml:"request_bytes"`
	// Requests bounds the requests that are worked on at the same time, over
	// both protocols, default 64. More are refused, to be tried again.
	Requests int `yaml:"requests"`
	// InflightBytes bounds the uncompressed bytes of the requests that are worked
	// on at the same time, default 64 MiB. Decoded, a request takes about five
	// times its bytes. More are refused, to be tried again; a single request is
	// always taken.
	InflightBytes int64 `yaml:"inflight_bytes"`
	// QueueBytes bounds the memory of batches that wait to be taken, default
	// 256 MiB. When it is full, requests are refused, to be tried again.
	QueueBytes int64 `yaml:"queue_bytes"`
	// ValueBytes is the length at which an attribute value, a name or a status
	// message is cut, default 4 KiB; BodyBytes that of a log body, default
	// 32 KiB.
	ValueBytes int `yaml:"value_bytes"`
	BodyBytes  int `yaml:"body_bytes"`
	// Attributes, Events and Links bound what one span carries (and the first
	// one, what a log record, point or resource does), default 128 each. The
	// ones beyond are left out.
	Attributes int `yaml:"attributes"`
	Events     int `yaml:"events"`
	Links      int `yaml:"links"`
	// Keys bounds the distinct attribute keys that are accepted while the
	// process runs, default 20,000. Attributes with further keys are left out.
	Keys int `yaml:"keys"`
	// Future is how far ahead of this machine's clock a time may be, default
	// 24 h. Spans, log records, points and changes beyond that, or before the
	// year 2000, are rejected: a state or a failure at a wrong time is worse
	// than none.
	Future time.Duration `yaml:"future"`
}

// JournalConfig says where and how much to keep until it is stored.
type JournalConfig struct {
	// Dir is the directory of the journal. It must be set.
	Dir string `yaml:"dir"`
	// SegmentBytes is the size at which a new file is begun, default 64 MiB.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// MaxBytes bounds the journal, default 4 GiB, at least four segments. When
	// it is full, requests are refused, to be tried again.
	MaxBytes int64 `yaml:"max_bytes"`
}

// RedactConfig says what is removed before anything is kept. The rules that
// are built in are always in force: see Redacted for what they are.
type RedactConfig struct {
	// Keys are further attribute keys whose values are removed. A key matches
	// if its words appear in it, in a row: "license key" matches
	// "user.license_key" and "LicenseKey", not "license.keys".
	Keys []string `yaml:"keys"`
	// Values are further regular expressions (RE2); what they match is removed
	// from values and texts.
	Values []string `yaml:"values"`
	// Keep are attribute keys, spelt exactly, that the built-in key words do
	// not apply to, such as "csrf.token.kind".
	Keep []string `yaml:"keep"`
}

// off is the address that means not to listen.
const off = "off"

// oldest is the earliest time that is believed. OTLP began in 2019; before 2000
// there are only clocks that were never set.
func oldest() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// withDefaults returns c with its zero fields set.
func (c Config) withDefaults() Config {
	set(&c.GRPC, "127.0.0.1:4317")
	set(&c.HTTP, "127.0.0.1:4318")
	set(&c.Bounds.RequestBytes, 16<<20)
	set(&c.Bounds.Requests, 64)
	set(&c.Bounds.InflightBytes, 64<<20)
	set(&c.Bounds.QueueBytes, 256<<20)
	set(&c.Bounds.ValueBytes, 4<<10)
	set(&c.Bounds.BodyBytes, 32<<10)
	set(&c.Bounds.Attributes, 128)
	set(&c.Bounds.Events, 128)
	set(&c.Bounds.Links, 128)
	set(&c.Bounds.Keys, 20_000)
	set(&c.Bounds.Future, 24*time.Hour)
	set(&c.Journal.SegmentBytes, 64<<20)
	set(&c.Journal.MaxBytes, 4<<30)
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate names the first field that is wrong and what it may be. It does not
// ask whether tokens suffice for the addresses: New does, because it knows the
// tokens.
func (c Config) Validate() error {
	c = c.withDefaults()
	for _, b := range []struct {
		field string
		value int64
	}{
		{"bounds.request_bytes", int64(c.Bounds.RequestBytes)},
		{"bounds.requests", int64(c.Bounds.Requests)},
		{"bounds.inflight_bytes", c.Bounds.InflightBytes},
		{"bounds.queue_bytes", c.Bounds.QueueBytes},
		{"bounds.value_bytes", int64(c.Bounds.ValueBytes)},
		{"bounds.body_bytes", int64(c.Bounds.BodyBytes)},
		{"bounds.attributes", int64(c.Bounds.Attributes)},
		{"bounds.events", int64(c.Bounds.Events)},
		{"bounds.links", int64(c.Bounds.Links)},
		{"bounds.keys", int64(c.Bounds.Keys)},
		{"bounds.future", int64(c.Bounds.Future)},
		{"journal.segment_bytes", c.Journal.SegmentBytes},
	} {
		if b.value < 0 {
			return fmt.Errorf("%s: %d: want more than 0, or 0 for the default", b.field, b.value)
		}
	}
	if c.Bounds.ValueBytes < 64 {
		return fmt.Errorf("bounds.value_bytes: %d: want at least 64", c.Bounds.ValueBytes)
	}
	if c.Journal.MaxBytes < 4*c.Journal.SegmentBytes {
		return fmt.Errorf("journal.max_bytes: %d: want at least four times journal.segment_bytes, %d", c.Journal.MaxBytes, 4*c.Journal.SegmentBytes)
	}
	if err := c.TLS.validate(); err != nil {
		return err
	}
	return c.Redact.validate()
}

func (c TLSConfig) validate() error {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("tls: want both cert_file and key_file, or neither")
	}
	if c.ClientCAFile != "" && !c.On() {
		return errors.New("tls.client_ca_file: needs cert_file and key_file")
	}
	for _, path := range []string{c.CertFile, c.KeyFile, c.ClientCAFile} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	return nil
}

func (c RedactConfig) validate() error {
	for i, k := range c.Keys {
		if len(words(k)) == 0 {
			return fmt.Errorf("redact.keys[%d]: %q: want at least one word", i, k)
		}
	}
	for i, v := range c.Values {
		re, err := regexp.Compile(v)
		if err != nil {
			return fmt.Errorf("redact.values[%d]: %w", i, err)
		}
		if re.MatchString("") {
			return fmt.Errorf("redact.values[%d]: %q matches the empty text", i, v)
		}
	}
	return nil
}

// checkListen refuses addresses that others can reach without protection.
func (c Config) checkListen(tokens *access.List) error {
	for _, addr := range []string{c.GRPC, c.HTTP} {
		if addr == off {
			continue
		}
		if err := access.CheckListen(addr, c.TLS.On(), !tokens.Open(), c.InsecureListen); err != nil {
			return err
		}
	}
	return nil
}
