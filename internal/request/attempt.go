package request

import (
	"strconv"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// Attempts returns, for each of the request's spans, which attempt of a call
// it is: 1 for a first call, 2 for its first repetition, 0 for what is not a
// call. A client says so itself (http.request.resend_count), or the call has
// the same parent, target and operation as an earlier one that had failed and
// ended; repeated calls that follow a success are a loop, not a retry.
//
// An attempt after the first follows from a failure, so it is a symptom. Only
// the attempt that the request itself is (Attempt) is a condition.
func (r *Request) Attempts() []int {
	out := make([]int, len(r.Spans))
	type call struct {
		parent        telemetry.SpanID
		operation, to string
	}
	var last map[call]int // index of the last attempt
	for i, s := range r.Spans {
		if s.Kind != telemetry.KindClient {
			continue
		}
		out[i] = 1
		if n := resends(s); n > 0 {
			out[i] = n + 1
		}
		if last == nil {
			last = make(map[call]int)
		}
		c := call{s.Parent, Operation(s), target(s)}
		if j, ok := last[c]; ok && out[i] == 1 {
			before := r.Spans[j]
			if _, failed := Failure(before); failed && !s.Start.Before(before.End) {
				out[i] = out[j] + 1
			}
		}
		last[c] = i
	}
	return out
}

// Attempt returns which attempt of its sender the request is, from the entry
// span or the client span above it; 1 if nothing says otherwise.
func (r *Request) Attempt() int {
	n := delivery(r.Spans[0])
	if len(r.Upstream) > 0 {
		if up := r.Upstream[len(r.Upstream)-1]; up.Kind == telemetry.KindClient {
			n = max(n, resends(up)+1)
		}
	}
	return max(n, 1)
}

// resends is the ordinal that a client gave to a repeated call, or 0.
func resends(s *telemetry.Span) int {
	for _, a := range s.Attributes {
		if attr.Current(a.Key) == attr.HTTPRequestResendCount {
			return count(a.Value)
		}
	}
	return 0
}

// delivery is how many times a broker has delivered the message that s
// handles, or 0 if it does not say.
func delivery(s *telemetry.Span) int {
	for _, a := range s.Attributes {
		switch attr.Current(a.Key) {
		case attr.HTTPRequestResendCount:
			return count(a.Value) + 1
		case attr.MessagingPubsubDeliveryAttempt, attr.MessagingServicebusDeliveries:
			return count(a.Value)
		}
	}
	return 0
}

// count reads a small number; what is none, or absurd, counts as 0.
func count(v string) int {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1_000 {
		return 0
	}
	return n
}

func target(s *telemetry.Span) string {
	for _, a := range s.Attributes {
		switch attr.Current(a.Key) {
		case attr.ServicePeerName, attr.ServerAddress:
			return a.Value
		}
	}
	return ""
}
