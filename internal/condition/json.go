package condition

import "encoding/json"

// wire is the shape of a condition in JSON. Name is what people read and what
// a column of a table is called; entity and dimension are its parts, left out
// where the name is the dimension.
type wire struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Entity    string `json:"entity,omitempty"`
	Dimension string `json:"dimension,omitempty"`
}

// MarshalJSON writes {"name", "value"}, and "entity" and "dimension" where the
// condition has an entity.
func (c Condition) MarshalJSON() ([]byte, error) {
	w := wire{Name: c.Name(), Value: c.Value}
	if c.Entity != "" {
		w.Entity, w.Dimension = c.Entity, c.Dimension
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Condition) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*c = Condition{Dimension: w.Name, Value: w.Value}
	if w.Entity != "" {
		c.Entity, c.Dimension = w.Entity, w.Dimension
	}
	return nil
}
