package request

import (
	"strconv"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// Failure reports whether a span failed by its own account, and why, in the
// emitter's terms. The reason is "HTTP 503", "gRPC UNAVAILABLE", an error.type,
// the type of an exception, or "error". A status code that says whose fault it
// was counts only where it was this side's: a server that answers 404 or
// NOT_FOUND did its work.
func Failure(s *telemetry.Span) (reason string, failed bool) {
	var errorType, http, rpc string
	for _, a := range s.Attributes {
		switch attr.Current(a.Key) {
		case attr.ErrorType:
			errorType = a.Value
		case attr.HTTPResponseStatusCode:
			http = a.Value
		case attr.RPCStatusCode:
			rpc = rpcStatus(a.Value)
		}
	}
	code, _ := strconv.Atoi(http) // not a number is not an HTTP status
	switch {
	case code >= 500:
		return "HTTP " + http, true
	case rpc != "" && rpcServerError(rpc):
		return "gRPC " + rpc, true
	case s.Status != telemetry.StatusError:
		return "", false
	case code >= 400:
		return "HTTP " + http, true
	case rpc != "" && rpc != "OK":
		return "gRPC " + rpc, true
	case errorType != "":
		return Collapse(errorType), true
	}
	for _, e := range s.Events {
		if e.Name != attr.EventException {
			continue
		}
		if t, ok := e.Attributes.Get(attr.ExceptionType); ok {
			return Collapse(t), true
		}
	}
	return "error", true
}

// rpcStatus returns the name of a gRPC status that may be given as its number.
func rpcStatus(v string) string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
		"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
		"UNAUTHENTICATED",
	}
	if n, err := strconv.Atoi(v); err == nil {
		if n < 0 || n >= len(names) {
			return "UNKNOWN"
		}
		return names[n]
	}
	return v
}

// rpcServerError lists the statuses that the conventions call errors of the
// server. The other ones are the caller's doing.
func rpcServerError(status string) bool {
	switch status {
	case "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
		return true
	}
	return false
}
