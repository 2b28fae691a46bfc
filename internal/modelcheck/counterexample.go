package modelcheck

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// noID stands for the state after a violation, which nobody keeps.
const noID = id(1<<32 - 1)

// A Counterexample is a shortest way to break a property.
type Counterexample struct {
	Property Property `json:"property"`
	// Says is what went wrong, in a sentence.
	Says  string `json:"says"`
	Steps []Step `json:"steps"`
	// Lanes are the parties, in the order of their columns.
	Lanes []string `json:"lanes"`
	// Fix is what would exclude it.
	Fix string `json:"fix"`
}

// A Step is one step of a counterexample.
type Step struct {
	// At is the time since the first step.
	At time.Duration `json:"at_ns"`
	// Lane is who does it, a number of Lanes.
	Lane int    `json:"lane"`
	Text string `json:"text"`
}

// A teller puts the steps of a model into words.
type teller interface {
	// lanes are the parties.
	lanes() []string
	// tell says who makes a step and what it is.
	tell(before []byte, label uint32) (lane int, text string)
	// ticks reports whether a step is the passing of a tick.
	passes(label uint32) bool
	// explain says what is wrong after the last step, and what to do.
	explain(p Property, before []byte, label uint32) (says, fix string)
}

// counterexample tells the way along some states. If the last is noID, label is
// the step after the last but one.
func (p plannedRun) counterexample(s *search, property Property, path []id, last uint32) *Counterexample {
	c := &Counterexample{Property: property, Lanes: p.teller.lanes()}
	var at time.Duration
	for n := 1; n < len(path); n++ {
		step := last
		if path[n] != noID {
			shard, index := path[n].split()
			_, step = s.shards[shard].origin(index)
		}
		before := s.state(path[n-1])
		if p.teller.passes(step) {
			at += p.tick
		}
		lane, text := p.teller.tell(before, step)
		c.Steps = append(c.Steps, Step{At: at, Lane: lane, Text: text})
		if n == len(path)-1 {
			c.Says, c.Fix = p.teller.explain(property, before, step)
		}
	}
	return c
}

// laneWidth is that of a column; a longer text pushes the next one.
const laneWidth = 30

// WriteText writes the counterexample as a timeline with a column for each
// party. Ticks are not shown as steps but as the time that has passed.
func (c *Counterexample) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s violated in %d steps: %s\n", c.Property, len(c.Steps), c.Says)
	fmt.Fprintf(&b, "%8s", "t")
	for _, lane := range c.Lanes {
		fmt.Fprintf(&b, "  %-*s", laneWidth, lane)
	}
	trimLine(&b)
	for _, step := range c.Steps {
		if step.Text == "" {
			continue
		}
		fmt.Fprintf(&b, "%8s", step.At)
		fmt.Fprintf(&b, "  %s%s", strings.Repeat(" ", step.Lane*(laneWidth+2)), step.Text)
		trimLine(&b)
	}
	fmt.Fprintf(&b, "fix: %s\n", c.Fix)
	_, err := io.WriteString(w, b.String())
	return err
}

// trimLine ends a line without blanks at its end.
func trimLine(b *strings.Builder) {
	text := strings.TrimRight(b.String(), " ")
	b.Reset()
	b.WriteString(text + "\n")
}
