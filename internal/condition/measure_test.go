package condition_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/eddytest"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A scale stamps requests that carry one number.
type scale struct {
	t       *testing.T
	stamper *condition.Stamper
	dict    *condition.Dictionary
	served  *telemetry.Resource
}

func newScale(t *testing.T) *scale {
	t.Helper()
	d := condition.NewDictionary(0)
	return &scale{t, condition.NewStamper(condition.StamperConfig{}, d, condition.NewTimeline(condition.TimelineConfig{})), d, &telemetry.Resource{Service: "order"}}
}

// stamp returns the conditions of a request whose order.bytes are so many.
func (s *scale) stamp(bytes string) []string {
	s.t.Helper()
	span := &telemetry.Span{
		Resource: s.served, Kind: telemetry.KindServer, Name: "POST /order", Start: eddytest.Start(),
		Attributes: telemetry.Attributes{{Key: "order.bytes", Value: bytes}},
	}
	all := stamp(s.t, s.stamper, s.dict, request.Request{Spans: []*telemetry.Span{span}, Start: eddytest.Start()})
	return slices.DeleteFunc(all, func(c string) bool { return !strings.Contains(c, "order.bytes") })
}

func TestRangesOfAMeasureAreConditions(t *testing.T) {
	s := newScale(t)
	for i := range 400 {
		got := s.stamp(strconv.Itoa(1 + i%100*10))
		if i < 200 && len(got) > 0 {
			t.Fatalf("request %d has %v: there is nothing to know yet", i, got)
		}
	}
	for value, want := range map[string]string{
		"995":    "order order.bytes > 500, order order.bytes > 730, order order.bytes > 890, order order.bytes > 940",
		"600":    "order order.bytes > 500",
		"20":     "order order.bytes <= 240, order order.bytes <= 41, order order.bytes <= 500",
		"1e9":    "order order.bytes > 500, order order.bytes > 730, order order.bytes > 890, order order.bytes > 940",
		"plenty": "order order.bytes=plenty",
	} {
		got := s.stamp(value)
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: got %q, want %q", value, text, want)
		}
	}
}

func TestCutsStayWhereTheyAreWhileTheyPartAboutAsMuch(t *testing.T) {
	s := newScale(t)
	seen := make(map[string]bool)
	clock := eddytest.Start()
	for i := range 20_000 {
		// The whole moves up by a fifth over two hours.
		for _, c := range s.stamp(fmt.Sprint(float64(i*37%1000) * (1 + float64(i)/100_000))) {
			seen[c] = true
		}
		if clock = clock.Add(360 * time.Millisecond); i%25 == 0 {
			s.stamper.Logs(clock, nil)
		}
	}
	if len(seen) > 16 {
		t.Errorf("%d conditions of one measure, want two generations of eight at most: %v", len(seen), seen)
	}
}

func TestALoadAboveWhatIsUsualIsACondition(t *testing.T) {
	d := condition.NewDictionary(0)
	s := condition.NewStamper(condition.StamperConfig{}, d, condition.NewTimeline(condition.TimelineConfig{}))
	gateway := &telemetry.Resource{Service: "gateway"}
	at := eddytest.Start()
	// second stamps so many requests in a second, and returns the loads that the last
	// one met.
	second := func(requests int) (loads []string) {
		for i := range requests {
			start := at.Add(time.Duration(i) * time.Second / time.Duration(requests))
			r := request.Request{
				Entry: request.Entry{Service: "gateway", Operation: "GET /"}, Start: start,
				Spans: []*telemetry.Span{{Resource: gateway, Kind: telemetry.KindServer, Name: "GET /", Start: start}},
			}
			loads = slices.DeleteFunc(stamp(t, s, d, r), func(c string) bool { return !strings.Contains(c, "load") })
		}
		at = at.Add(time.Second)
		return loads
	}
	for range 300 {
		if got := second(20); len(got) > 0 {
			t.Fatalf("%s: %v, want nothing while all is as usual", at, got)
		}
	}
	var got []string
	for range 30 {
		got = second(50)
	}
	if want := []string{"gateway load > 30/s", "gateway load > 40/s"}; !slices.Equal(got, want) {
		t.Errorf("at 50 a second: got %v, want %v", got, want)
	}
	for range 30 {
		got = second(20)
	}
	if len(got) > 0 {
		t.Errorf("as usual again: got %v, want nothing", got)
	}
}
