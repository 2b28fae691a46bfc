package interaction

import (
	"fmt"
	"strings"
	"time"

	"example.test/eddy/internal/request"
	"example.test/eddy/internal/wording"
)

// Options say how to mine. The zero value means the defaults.
type Options struct {
	// MaxOrder is how many conditions a set may have, 1 to 5; default 3.
	MaxOrder int
	// Alpha is the share of tables without any cause in which a finding is
	// tolerated, above 0 and below 1; default 0.05. Each number of conditions has an
	// equal part of it, and each set a part of that which falls with the square root
	// of how many observations its conditions have.
	Alpha float64
	// Bucket is how long a stratum of time is; default 10 s. Comparisons are
	// made within a stratum, so what changes more slowly cannot mislead; where few
	// lack an element of a set, whether it is needed is asked over up to six of them,
	// in which having it and lacking it took turns.
	Bucket time.Duration
	// Top is how many findings are looked for; default 5.
	Top int
	// Seed decides which successes the search samples and how labels are
	// permuted. The same table and seed give the same result.
	Seed uint64
	// MinShare is the share of the failures that a set of three conditions must cover
	// to be looked at, above 0 and at most 1; half of it if the set has one or two
	// conditions, and half as much again if it has more than three, so long as that is
	// fewer than 20 failures; default 0.02.
	MinShare float64
	// Sample is how many distinct rows with successes, and how many with
	// failures, the search looks at; default 8192. Findings are always
	// verified, and counted, on all rows.
	Sample int
	// Location are the dimensions that say where a request came in. They are
	// strata: failures at one entry are compared with successes at the same
	// entry, and a location is never a cause by itself. Nil means "entry"; an
	// empty slice means that the table has no such column.
	Location []string
	// Downstream are the dimensions that follow from a failure rather than lead to
	// one: a request that is a retry fails more often because of what made the
	// first attempt fail. A finding that names nothing else comes after all
	// others, and says so. Nil means "attempt".
	Downstream []string
	// Permutations is how many times failures are permuted within strata when
	// they are fewer than 200 and a set misses the bound over all sets by
	// little. Such a set, of one or two conditions, counts at a tenth of Alpha; if
	// failures came in bursts, so does one with each burst counted once. Default 199.
	Permutations int
	// Since, if it is not zero, is when something changed: only failures from then
	// on are explained, and by how much more often a set fails than its own
	// history, the rows before, would have it. What has always differed from one
	// part of the traffic to another is then no cause. The table must have times.
	Since time.Time
	// Noun is what observations are called in sentences, in the plural; default
	// "requests". Outcome is what those did that count as failed: request.Failed,
	// the default, or request.Slow.
	Noun    string
	Outcome request.Outcome
}

// Validate reports the first field that is out of range.
func (o Options) Validate() error {
	switch {
	case o.MaxOrder < 0 || o.MaxOrder > 5:
		return fmt.Errorf("max order %d: want 1 to 5", o.MaxOrder)
	case o.Alpha < 0 || o.Alpha >= 1 || o.Alpha != o.Alpha:
		return fmt.Errorf("alpha %v: want above 0 and below 1", o.Alpha)
	case o.Bucket < 0:
		return fmt.Errorf("bucket %v: want a positive duration", o.Bucket)
	case o.Top < 0:
		return fmt.Errorf("top %d: want at least 1", o.Top)
	case o.MinShare < 0 || o.MinShare > 1 || o.MinShare != o.MinShare:
		return fmt.Errorf("min share %v: want above 0 and at most 1", o.MinShare)
	case o.Sample < 0:
		return fmt.Errorf("sample %d: want at least 1", o.Sample)
	case o.Permutations < 0:
		return fmt.Errorf("permutations %d: want at least 1", o.Permutations)
	case o.Outcome > request.Slow:
		return fmt.Errorf("outcome %d: want failed or slow", o.Outcome)
	}
	return nil
}

// withDefaults returns o with the zero fields filled in.
func (o Options) withDefaults() Options {
	if o.MaxOrder == 0 {
		o.MaxOrder = 3
	}
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Bucket == 0 {
		o.Bucket = 10 * time.Second
	}
	if o.Top == 0 {
		o.Top = 5
	}
	if o.MinShare == 0 {
		o.MinShare = 0.02
	}
	if o.Sample == 0 {
		o.Sample = 1 << 13
	}
	if o.Location == nil {
		o.Location = []string{"entry"}
	}
	if o.Downstream == nil {
		o.Downstream = []string{"attempt"}
	}
	if o.Permutations == 0 {
		o.Permutations = 199
	}
	if o.Noun == "" {
		o.Noun = requests
	}
	if o.Outcome == request.OK {
		o.Outcome = request.Failed
	}
	return o
}

// thing is what one observation is called.
func (o Options) thing() string { return strings.TrimSuffix(o.Noun, "s") }

// things writes a number of observations.
func (o Options) things(n int64) string { return wording.Plural(int(n), o.thing()) }

// words are how sentences speak of what is explained.
func (o Options) words() request.Words { return o.Outcome.Words(o.thing()) }
