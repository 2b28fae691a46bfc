package phase

import (
	"slices"

	"example.test/eddy/phase/contract"
)

// route returns the shortest way from one phase to another, without the first.
// A new holder must not inherit the old one's place: from one of the leave phases
// it goes out of all of them before it comes in again. Nil means that there is no
// way.
func route(c *contract.Contract, from, to Name, leave []Name) []Name {
	if !slices.Contains(leave, from) {
		return shortest(c, from, func(n Name) bool { return n == to })
	}
	out := shortest(c, from, func(n Name) bool { return !slices.Contains(leave, n) })
	if out == nil || out[len(out)-1] == to {
		return out
	}
	in := shortest(c, out[len(out)-1], func(n Name) bool { return n == to })
	if in == nil {
		return nil
	}
	return append(out, in...)
}

// shortest is a breadth-first search. It takes transitions in the order of the
// contract, so that it always finds the same way.
func shortest(c *contract.Contract, from Name, arrived func(Name) bool) []Name {
	before := map[Name]Name{from: ""}
	queue := []Name{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at != from && arrived(at) {
			var path []Name
			for ; at != from; at = before[at] {
				path = append(path, at)
			}
			slices.Reverse(path)
			return path
		}
		for _, t := range c.Transitions {
			if _, seen := before[t.To]; t.From == at && !seen {
				before[t.To] = at
				queue = append(queue, t.To)
			}
		}
	}
	return nil
}
