package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// A part is a piece of a sentence; one that names a condition carries the
// condition's letter. Head is what must stay on one line with the letter.
type part struct{ Text, Letter, Head string }

// letter names a condition on a page: the same in the sentence, the cells, the
// lanes and the timeline.
func letter(k int) string {
	if k < 26 {
		return string(rune('A' + k))
	}
	return fmt.Sprintf("C%d", k+1)
}

// sentence cuts the title where it names the finding's conditions.
func sentence(i incident.Incident) []part {
	parts := []part{{Text: i.Title}}
	if i.Finding == nil {
		return parts
	}
	for k, c := range i.Finding.Conditions {
		for _, name := range spellings(c) {
			at := slices.IndexFunc(parts, func(p part) bool { return p.Letter == "" && strings.Contains(p.Text, name) })
			if at < 0 {
				continue
			}
			before, after, _ := strings.Cut(parts[at].Text, name)
			parts = slices.Replace(parts, at, at+1, part{Text: before}, named(name, letter(k)), part{Text: after})
			break
		}
	}
	return slices.DeleteFunc(parts, func(p part) bool { return p.Text == "" && p.Letter == "" })
}

// named splits a name for its line: a short first word stays with the letter.
func named(name, letter string) part {
	head, _, _ := strings.Cut(name, " ")
	if utf8.RuneCountInString(head) > 20 {
		head = ""
	}
	return part{Text: name[len(head):], Letter: letter, Head: head}
}

// spellings are the ways in which a sentence may name a condition, the longest
// first.
func spellings(c condition.Condition) []string {
	bare := strings.TrimPrefix(c.Dimension, "flag ")
	list := []string{
		c.String(), c.Name() + " " + c.Value, c.Entity + " flag " + bare + "=" + c.Value,
		c.Dimension + "=" + c.Value, c.Entity + " " + c.Value, bare + "=" + c.Value, bare + " " + c.Value,
	}
	return slices.DeleteFunc(list, func(s string) bool { return len(strings.TrimSpace(s)) < 3 })
}

// verdictOf says in words what kind of explanation an incident has. Findings
// are observed until an experiment confirms them.
func verdictOf(i incident.Incident) string {
	if i.Finding == nil {
		return string(interaction.NoExplanation)
	}
	return string(i.Finding.Verdict) + ", " + string(statusOf(i))
}

// verdictTitle explains a verdict to those who meet it for the first time.
func verdictTitle(i incident.Incident) string {
	if i.Finding == nil {
		return interaction.NoExplanation.Says(i.Outcome, "request")
	}
	return i.Finding.Verdict.Says(i.Outcome, "request") + " " + statusTitle(statusOf(i))
}

// statusOf is the status of an incident with a finding; an earlier version did
// not store it.
func statusOf(i incident.Incident) incident.Status { return cmp.Or(i.Status, incident.Observed) }

// harm says how many requests were hurt, of how many.
func harm(i incident.Incident) (hurt, rate string) {
	hurt = fmt.Sprintf("%s of %s %s", wording.Count(i.Failures), wording.Plural(i.Requests, "request"), i.Outcome.Words("request").Ended(i.Failures))
	if i.Requests <= 0 || i.Failures > i.Requests {
		return hurt, ""
	}
	low, high := interaction.Wilson(float64(i.Failures), float64(i.Requests))
	return hurt, fmt.Sprintf("%s (%s)", wording.Percent(float64(i.Failures)/float64(i.Requests)), between(low, high))
}
