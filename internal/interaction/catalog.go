package interaction

import (
	"slices"

	"example.test/eddy/internal/condition"
)

// A catalog is what is known of conditions by their number, whatever rows have
// them. It grows and never forgets.
type catalog struct {
	location   []string // dimensions that are places
	conditions []condition.Condition
	place      []bool
	name       []int32 // number of the condition's Name
	entity     []int32 // number of the entity that it is a state of, -1 if none
	names      map[string]int32
	entities   map[string]int32
	unlisted   []Unlisted // see Table
}

func newCatalog(location []string) *catalog {
	return &catalog{location: location, names: make(map[string]int32), entities: make(map[string]int32)}
}

// extend takes in the conditions beyond those that are known. The list must
// begin with those.
func (c *catalog) extend(conditions []condition.Condition) {
	for _, x := range conditions[len(c.conditions):] {
		c.place = append(c.place, slices.Contains(c.location, x.Dimension))
		c.name = append(c.name, number(c.names, x.Name()))
		entity := int32(-1)
		if x.Entity != "" {
			entity = number(c.entities, x.Entity)
		}
		c.entity = append(c.entity, entity)
	}
	c.conditions = conditions
}

// number returns the number of a text, the next one if it has none.
func number(numbers map[string]int32, text string) int32 {
	n, ok := numbers[text]
	if !ok {
		n = int32(len(numbers))
		numbers[text] = n
	}
	return n
}
