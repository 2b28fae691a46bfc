package scenario

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File string
	Line int    // from 1; 0 if it is about the whole file
	At   string // the field, as "topology.services[1].queue.bound"
	// Text says what is there, what was expected and, where it is known, the fix.
	Text string
}

// Error gives it as "file:line: field: text".
func (p Problem) Error() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d", p.Line)
	}
	if p.At != "" {
		text += ": " + p.At
	}
	return text + ": " + p.Text
}

// Problems are all that is wrong with a file, in the order of its lines.
type Problems []Problem

// Error gives one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// syntax says what is wrong with a text that is no YAML. The errors of the YAML
// package panic where they know no place.
func syntax(file string, err error) Problem {
	known, ok := errors.AsType[yaml.Error](err)
	switch {
	case !ok:
		return Problem{File: file, Text: err.Error()}
	case known.GetToken() == nil || known.GetToken().Position == nil:
		return Problem{File: file, Text: known.GetMessage() + ": is a bracket, brace or quote never closed?"}
	}
	return Problem{File: file, Line: known.GetToken().Position.Line, Text: known.GetMessage()}
}

// nearest returns the word that is a typing error away, or "".
func nearest(word string, words []string) string {
	best, at := "", 3
	for _, w := range words {
		if d := distance(word, w); d < at && d < len(w) {
			best, at = w, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out or replaced
// (Levenshtein 1966).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}

// list writes "a", "a and b", "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
