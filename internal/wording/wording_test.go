package wording_test

import (
	"math"
	"testing"

	"example.test/eddy/internal/wording"
)

func TestCountSetsThousandsApart(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12345: "-12,345", -123: "-123"} {
		if got := wording.Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPluralKnowsOneAndQueries(t *testing.T) {
	for _, x := range []struct {
		n    int64
		noun string
		want string
	}{{1, "request", "1 request"}, {0, "request", "0 requests"}, {2000, "request", "2,000 requests"}, {3, "entry", "3 entries"}} {
		if got := wording.Plural(x.n, x.noun); got != x.want {
			t.Errorf("Plural(%d, %q) = %q, want %q", x.n, x.noun, got, x.want)
		}
	}
}

func TestFewAreWords(t *testing.T) {
	for n, want := range map[int]string{0: "none", 3: "three", 6: "six", 7: "7", 2000: "2,000", -1: "-1"} {
		if got := wording.Few(n); got != want {
			t.Errorf("Few(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPercentHasTheDigitsThatTellSomething(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0%", -1: "0%", math.NaN(): "0%", 1: "100%", 2: "100%", .00001: "<0.01%", .0003: "0.03%", .00099: "0.1%",
		.002: "0.2%", .0042: "0.4%", .00042: "0.04%", .074: "7.4%", .74: "74%", .9951: "99.5%", .05: "5%", .0994: "9.9%", .0999: "10%", .1234: "12%", .742: "74%", .99: "99%", .994: "99.4%", .9995: ">99.9%", .99999: ">99.9%",
	} {
		if got := wording.Percent(share); got != want {
			t.Errorf("Percent(%v) = %q, want %q", share, got, want)
		}
	}
}
