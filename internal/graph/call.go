package graph

import (
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A call is one edge's worth of one span.
type call struct {
	from, to Node
	async    bool
	edge     Edge
}

// calls calls visit for each call that the request made from one node to
// another.
//
// A call is counted where it was made: from the client's span, so that it
// counts also if it never arrived. Without a client span it is counted from the
// span that answered.
func calls(r *request.Request, visit func(call)) {
	at := spanIndex(r)
	attempts := r.Attempts()
	answered := make([]bool, len(r.Spans))
	for i, s := range r.Spans {
		p, ok := at[s.Parent]
		if i == 0 || !ok {
			continue
		}
		parent := r.Spans[p]
		if parent.Resource.Service == s.Resource.Service &&
			(parent.Kind != telemetry.KindClient || s.Kind != telemetry.KindServer) {
			continue
		}
		c := call{from: serviceNode(parent), to: serviceNode(s), edge: figures(s, 1)}
		if parent.Kind == telemetry.KindClient {
			if answered[p] {
				continue // a second answer to one call: a proxy, or a broken emitter
			}
			answered[p] = true
			c.edge = figures(parent, attempts[p])
		}
		visit(c)
	}
	for i, s := range r.Spans {
		switch s.Kind {
		case telemetry.KindClient:
			if answered[i] {
				continue
			}
			if t := TargetOf(s); t.Name != "" {
				visit(call{from: serviceNode(s), to: t.node(), edge: figures(s, attempts[i])})
			}
		case telemetry.KindProducer:
			if t := TargetOf(s); t.Name != "" {
				visit(call{from: serviceNode(s), to: t.node(), async: true, edge: figures(s, 1)})
			}
		case telemetry.KindConsumer:
			if p, ok := at[s.Parent]; !ok || i == 0 || r.Spans[p].Kind != telemetry.KindConsumer {
				consumed(r, i, visit) // a message is received and processed, and comes once
			}
		case telemetry.KindUnspecified, telemetry.KindInternal, telemetry.KindServer:
		}
	}
}

// consumed visits the edge from a queue to who consumes from it, or from the
// producer itself if the queue has no name.
func consumed(r *request.Request, i int, visit func(call)) {
	s := r.Spans[i]
	c := call{to: serviceNode(s), async: true, edge: figures(s, 1)}
	switch t := TargetOf(s); {
	case t.Name != "":
		c.from = t.node()
	case i == 0 && len(r.Upstream) > 0:
		c.from = serviceNode(r.Upstream[len(r.Upstream)-1])
	default:
		return
	}
	visit(c)
}

func serviceNode(s *telemetry.Span) Node { return Node{Name: s.Resource.Service, Kind: Service} }

func (t Target) node() Node { return Node{Name: t.Name, Kind: t.Kind, System: t.System} }

func figures(s *telemetry.Span, attempt int) Edge {
	e := Edge{Calls: 1, Duration: s.Duration()}
	if _, failed := request.Failure(s); failed {
		e.Failed = 1
	}
	if attempt > 1 {
		e.Retries = 1
	}
	return e
}
