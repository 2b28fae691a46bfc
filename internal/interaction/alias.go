package interaction

import (
	"encoding/json"
	"strings"

	"example.test/eddy/internal/condition"
)

// aliasWire is the shape of an alias in JSON: the condition's own members, and
// what it goes with.
type aliasWire struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Entity     string `json:"entity,omitempty"`
	Dimension  string `json:"dimension,omitempty"`
	Of         string `json:"of"`
	Discordant int    `json:"discordant"`
	// OfParts gives Of back in its parts, where text alone cannot.
	OfParts *condition.Condition `json:"of_condition,omitempty"`
}

// MarshalJSON writes {"name", "value", "of", "discordant"}, with "entity" and
// "dimension" where the condition has an entity, and "of_condition" where the
// condition it goes with has one.
func (a AliasOf) MarshalJSON() ([]byte, error) {
	w := aliasWire{Name: a.Name(), Value: a.Value, Of: a.Of.String(), Discordant: a.Discordant}
	if a.Entity != "" {
		w.Entity, w.Dimension = a.Entity, a.Dimension
	}
	if a.Of.Entity != "" {
		w.OfParts = &a.Of
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *AliasOf) UnmarshalJSON(data []byte) error {
	var w aliasWire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*a = AliasOf{
		Condition:  condition.Condition{Dimension: w.Name, Value: w.Value},
		Discordant: w.Discordant,
	}
	if w.Entity != "" {
		a.Entity, a.Dimension = w.Entity, w.Dimension
	}
	if w.OfParts != nil {
		a.Of = *w.OfParts
	} else {
		a.Of.Dimension, a.Of.Value, _ = strings.Cut(w.Of, "=")
	}
	return nil
}
