package phase

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.test/eddy/phase/wire"
)

// HeaderBelief tells the callee what the caller believes about it. It concerns
// these two only, and is not to be passed on. HeaderActual is the callee's
// answer.
const (
	HeaderBelief = "Eddy-Phase"
	HeaderActual = "Eddy-Phase-Actual"
)

// maxHeader bounds what is read of one.
const maxHeader = 1 << 10

// A Belief is what a caller says about a subject with a request.
type Belief struct {
	Contract string // name@version
	Subject  string // the hash of its key; see package wire
	Phase    Name   // "" if it is unknown
	Epoch    Epoch
	Age      time.Duration
	Role     string
	Action   string
}

// String is the value of HeaderBelief:
// "v=1;c=rolling-drain@1;s=9f3c1a77d02be415;p=ACTIVE;e=17;a=340;r=router;x=new_request".
func (b Belief) String() string {
	phase := string(b.Phase)
	if phase == "" {
		phase = "?"
	}
	return fmt.Sprintf("v=1;c=%s;s=%s;p=%s;e=%d;a=%d;r=%s;x=%s", b.Contract, b.Subject, phase, b.Epoch, b.Age.Milliseconds(), b.Role, b.Action)
}

// ParseBelief reads a value of HeaderBelief.
func ParseBelief(value string) (Belief, error) {
	var b Belief
	version := ""
	err := fields(value, map[string]func(string) error{
		"v": func(s string) error { version = s; return nil },
		"c": func(s string) error { b.Contract = s; return nil },
		"s": func(s string) error { b.Subject = s; return nil },
		"p": func(s string) error {
			if s != "?" {
				b.Phase = Name(s)
			}
			return nil
		},
		"e": func(s string) (err error) { b.Epoch, err = parseEpoch(s); return err },
		"a": func(s string) error {
			n, err := strconv.ParseUint(s, 10, 40)
			b.Age = time.Duration(n) * time.Millisecond
			return err
		},
		"r": func(s string) error { b.Role = s; return nil },
		"x": func(s string) error { b.Action = s; return nil },
	})
	switch {
	case err != nil:
		return Belief{}, fmt.Errorf("header %s: %w", HeaderBelief, err)
	case version != "1" || b.Contract == "" || b.Subject == "" || b.Role == "" || b.Action == "":
		return Belief{}, fmt.Errorf("header %s: %q: want version 1 with a contract, subject, role and action", HeaderBelief, value)
	}
	return b, nil
}

// Belief reads what a caller says about this subject, from the value of
// HeaderBelief. It is nil where there is none, where it cannot be read, and where
// it is about another subject.
func (p *Producer) Belief(header string) *Belief {
	if header == "" {
		return nil
	}
	b, err := ParseBelief(header)
	if err != nil || b.Subject != wire.Hash(p.subject.Key) {
		return nil
	}
	return &b
}

// Header is the value of HeaderActual for a view.
func (v View) Header() string { return fmt.Sprintf("p=%s;e=%d", v.Phase, v.Epoch) }

// parseActual reads a value of HeaderActual.
func parseActual(value string) (phase Name, epoch Epoch, err error) {
	err = fields(value, map[string]func(string) error{
		"p": func(s string) error { phase = Name(s); return nil },
		"e": func(s string) (err error) { epoch, err = parseEpoch(s); return err },
	})
	if err == nil && phase == "" {
		err = fmt.Errorf("%q: no phase", value)
	}
	return phase, epoch, err
}

func parseEpoch(s string) (Epoch, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	return Epoch(n), err
}

// fields reads "key=value;key=value". Keys that are not known are skipped, for
// versions to come.
func fields(value string, set map[string]func(string) error) error {
	if len(value) > maxHeader {
		return fmt.Errorf("%d bytes: want at most %d", len(value), maxHeader)
	}
	for field := range strings.SplitSeq(value, ";") {
		key, v, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("%q: want key=value", field)
		}
		if f := set[key]; f != nil {
			if err := f(v); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return nil
}
