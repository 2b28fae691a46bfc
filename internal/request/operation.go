package request

import (
	"strings"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// Operation returns what a span does in words that are low in cardinality: its
// HTTP method and route, its RPC method, its destination and messaging
// operation, or else its name. What looks like an id within a path or a name
// is written {id}, since some emitters put raw paths there.
func Operation(s *telemetry.Span) string {
	var method, route, path, rpc, rpcService, topic, messaging, verb string
	for _, a := range s.Attributes {
		switch attr.Current(a.Key) {
		case attr.HTTPRequestMethod:
			method = a.Value
		case attr.HTTPRoute:
			route = a.Value
		case attr.URLTemplate:
			if route == "" {
				route = a.Value
			}
		case attr.URLPath:
			path = a.Value
		case attr.RPCMethod:
			rpc = a.Value
		case attr.RPCService:
			rpcService = a.Value
		case attr.MessagingDestinationTemplate:
			topic = a.Value
		case attr.MessagingDestinationName:
			if topic == "" {
				topic = a.Value
			}
		case attr.MessagingOperationName:
			verb = a.Value
		case attr.MessagingOperationType:
			messaging = a.Value
		}
	}
	switch {
	case topic != "":
		return Collapse(topic) + " " + messagingVerb(s.Kind, messaging, verb)
	case rpc != "":
		if rpcService != "" && !strings.Contains(rpc, "/") {
			rpc = rpcService + "/" + rpc
		}
		return Collapse(rpc)
	case method != "" && route != "":
		return method + " " + Collapse(route)
	case method != "" && (s.Name == "" || s.Name == method) && path != "":
		path, _, _ = strings.Cut(path, "?")
		return method + " " + Collapse(path)
	case s.Name != "":
		return Collapse(s.Name)
	case method != "":
		return method
	}
	return s.Kind.String()
}

// messagingVerb prefers the type, which is one of a few words, to the name,
// which each broker spells differently.
func messagingVerb(kind telemetry.Kind, typ, name string) string {
	switch typ {
	case "deliver":
		return "process"
	case "publish":
		return "send"
	case "":
	default:
		return typ
	}
	switch {
	case name != "":
		return Collapse(name)
	case kind == telemetry.KindProducer:
		return "send"
	}
	return "process"
}

// maxName is how many bytes of a name are kept. Longer names are somebody's
// SQL or JSON.
const maxName = 160

// Collapse writes {id} for each part of a path or a name that looks like an
// id: a number, a UUID, a long hexadecimal or mixed token, a mail address.
// Collapsing twice is the same as once.
func Collapse(name string) string {
	for {
		// A replacement may be longer than what it stands for, and what is cut off
		// then may make an id of what is left. Each pass that changes something
		// leaves fewer digits, @ or bytes, so it ends; it mostly is the second.
		next := collapse(name)
		if next == name {
			return name
		}
		name = next
	}
}

// collapse is one pass.
func collapse(name string) string {
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	if !strings.ContainsAny(name, "0123456789@") {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		j := i
		for j < len(name) && name[j] != '/' && name[j] != ' ' && name[j] != '?' && name[j] != '=' && name[j] != '&' {
			j++
		}
		b.WriteString(collapseSegment(name[i:j]))
		if j < len(name) {
			b.WriteByte(name[j])
			j++
		}
		i = j
	}
	return b.String()
}

// collapseSegment handles what stands between two separators of a path.
// "order-12345" keeps its word; "v1.2" and "http-2" keep their number; a date,
// an address or a UUID is all id.
func collapseSegment(s string) string {
	const id = "{id}"
	if strings.ContainsRune(s, '@') || isID(s) {
		return id
	}
	var b strings.Builder
	ids, rest := 0, 0
	for len(s) > 0 {
		i := strings.IndexAny(s, "-_:.")
		part := s
		if i >= 0 {
			part = s[:i]
		}
		switch {
		case isDigits(part) && len(part) <= 2:
			ids++
			b.WriteString(part)
		case isID(part):
			ids++
			b.WriteString(id)
		default:
			if part != "" {
				rest++
			}
			b.WriteString(part)
		}
		if i < 0 {
			break
		}
		b.WriteByte(s[i])
		s = s[i+1:]
	}
	if rest == 0 && ids >= 2 {
		return id
	}
	return b.String()
}

// isID reports whether a whole segment, or a part of one, is an id.
func isID(s string) bool {
	digits, hex, letters, other := 0, 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			hex++
		case c >= 'g' && c <= 'z', c >= 'G' && c <= 'Z':
			letters++
		case c == '-':
			other++
		default:
			return false
		}
	}
	switch {
	case digits == 0:
		return false
	case hex+letters+other == 0:
		return true // a number
	case letters == 0 && other == 0:
		return len(s) >= 8 // hexadecimal
	case letters == 0 && other == 4 && len(s) == 36:
		return true // a UUID
	case other == 0:
		return len(s) >= 16 && digits >= 3 // a token in base 36 or 62
	}
	return false
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
