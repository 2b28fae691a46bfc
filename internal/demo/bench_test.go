package demo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/demo"
)

func TestABenchFailsOnlyWhereTheWholeTwistIsInForce(t *testing.T) {
	bench, err := demo.OpenBench(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer stop()
		if err := bench.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	twist := demo.Stories()[0].Truth.Conditions
	for arm := range 8 {
		var in, out []condition.Condition
		for i, c := range twist {
			if arm>>i&1 == 1 {
				in = append(in, c)
			} else {
				out = append(out, c)
			}
		}
		const requests = 40
		failed, err := bench.Try(t.Context(), in, out, requests, 7)
		if err != nil {
			t.Fatal(err)
		}
		if whole := arm == 7; whole != (failed > requests/10) {
			t.Errorf("%d of %d requests failed with %v", failed, requests, in)
		}
	}
	_, err = bench.Try(t.Context(), []condition.Condition{{Entity: "cart", Dimension: "color", Value: "blue"}}, nil, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "the shop cannot put cart color=blue in force") {
		t.Errorf("a condition that it does not have: %v", err)
	}
}
