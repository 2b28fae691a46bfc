package contract

import (
	"cmp"
	"fmt"
	"strings"
)

// A Position is a place in a file. Lines and columns count from 1; 0 is unknown.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String is file:line:column, as far as known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Severity says whether a problem makes a contract unusable.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// A Problem is one thing that is wrong with a contract.
type Problem struct {
	Position
	// Code is that of the lint, L01 to L19; "" is a mistake of form.
	Code     string   `json:"code,omitempty"`
	Severity Severity `json:"severity"`
	// Field is the path of the field, as spec.transitions[2].await.
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	// Fix is what to do.
	Fix string `json:"fix,omitempty"`
}

// String is one line: place, code, field, what is wrong, what to do.
func (p Problem) String() string {
	var b strings.Builder
	if place := p.Position.String(); place != "" {
		b.WriteString(place + ": ")
	}
	if p.Code != "" {
		fmt.Fprintf(&b, "%s %s: ", p.Code, p.Severity)
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString(": " + p.Fix)
	}
	return b.String()
}

func byPosition(a, b Problem) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code))
}

// suggestion names the candidate that was likely meant, or all of them.
func suggestion(got string, names []string) string {
	best, distance := "", 3
	for _, name := range names {
		if d := edits(strings.ToLower(got), strings.ToLower(name)); d < distance {
			best, distance = name, d
		}
	}
	if best != "" {
		return best
	}
	return "one of " + strings.Join(names, ", ")
}

// edits is how many letters to insert, drop or replace to get from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, replace)
		}
	}
	return row[len(b)]
}
