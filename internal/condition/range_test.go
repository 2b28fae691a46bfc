package condition_test

import (
	"testing"

	"example.test/eddy/internal/condition"
)

func TestRangeOfNumbersReadsAsOne(t *testing.T) {
	f := func(c condition.Condition, want string) {
		t.Helper()
		if got := c.String(); got != want {
			t.Errorf("%+v: got %q, want %q", c, got, want)
		}
	}
	f(condition.Condition{Dimension: "load", Value: "> 840"}, "load > 840")
	f(condition.Condition{Dimension: "load", Value: "<= -3.5"}, "load <= -3.5")
	f(condition.Condition{Dimension: "size", Value: "> 120 and <= 400"}, "120 < size <= 400")
	f(condition.Condition{Entity: "db", Dimension: "use", Value: "> 0.9"}, "db use > 0.9")
	f(condition.Condition{Dimension: "cdn", Value: "3"}, "cdn=3")
	f(condition.Condition{Dimension: "requires", Value: ">=1.2"}, "requires=>=1.2")
}
