// Package graph folds requests into who depends on whom, and on which shared
// resources: stores, queues, caches, and peers that send no telemetry.
//
// Folding is commutative: the graph of some requests merged with the graph of
// others is the graph of all of them. A graph holds at most 2,000 nodes; calls
// to further ones are counted in one node called "(other)". A graph is not safe
// for concurrent use.
package graph

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// A Graph is who called whom in a stretch of time. Use New to make one.
type Graph struct {
	nodes map[string]*Node
	edges map[pair]*Edge
}

// A pair is what names an edge. A service may call a queue's broker and also
// send to it, so whether it waited is part of the name.
type pair struct {
	from, to string
	async    bool
}

// A Kind is what a node is.
type Kind string

// The kinds. A peer is what was called and sends no telemetry.
const (
	Service Kind = "service"
	Store   Kind = "store"
	Cache   Kind = "cache"
	Queue   Kind = "queue"
	Peer    Kind = "peer"
)

// A Node is a service or something that services share.
type Node struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// System is the product, "postgresql" or "kafka", where it is known.
	System string `json:"system,omitempty"`
	// Requests is how many requests entered here, Failed how many of them
	// failed.
	Requests int `json:"requests,omitempty"`
	Failed   int `json:"failed,omitempty"`
}

// An Edge is the calls that one node made to another.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Async says that the caller did not wait for the answer: a message.
	Async bool `json:"async,omitempty"`
	Calls int  `json:"calls"`
	// Failed is how many of the calls failed for the caller.
	Failed int `json:"failed,omitempty"`
	// Retries is how many of the calls were not the first attempt.
	Retries int `json:"retries,omitempty"`
	// Duration is the time that all calls took together.
	Duration time.Duration `json:"duration_ns"`
}

// New returns an empty graph.
func New() *Graph {
	return &Graph{nodes: make(map[string]*Node), edges: make(map[pair]*Edge)}
}

// other is the node that stands for those beyond maxNodes.
const (
	other    = "(other)"
	maxNodes = 2_000
)

// Add folds a request in.
func (g *Graph) Add(r request.Request) {
	entry := g.node(Node{Name: r.Entry.Service, Kind: Service})
	entry.Requests++
	if r.Outcome == request.Failed {
		entry.Failed++
	}
	calls(&r, func(c call) {
		from := g.node(c.from)
		to := g.node(c.to)
		g.edge(from.Name, to.Name, c.async).count(c.edge)
	})
}

func (e *Edge) count(o Edge) {
	e.Calls += o.Calls
	e.Failed += o.Failed
	e.Retries += o.Retries
	e.Duration += o.Duration
}

// Merge folds another graph in, which is left as it is.
func (g *Graph) Merge(o *Graph) {
	for _, n := range o.Nodes() {
		m := g.node(n)
		m.Requests += n.Requests
		m.Failed += n.Failed
	}
	for _, e := range o.Edges() {
		from := g.node(Node{Name: e.From, Kind: Peer})
		to := g.node(Node{Name: e.To, Kind: Peer})
		g.edge(from.Name, to.Name, e.Async).count(e)
	}
}

// node returns the node of the name, which it makes or completes. What one
// request takes for a peer may be a service in another.
func (g *Graph) node(n Node) *Node {
	m := g.nodes[n.Name]
	if m == nil {
		if len(g.nodes) >= maxNodes && n.Name != other {
			return g.node(Node{Name: other, Kind: Peer})
		}
		m = &Node{Name: n.Name, Kind: n.Kind, System: n.System}
		g.nodes[n.Name] = m
		return m
	}
	if rank(n.Kind) < rank(m.Kind) {
		m.Kind = n.Kind
	}
	m.System = max(m.System, n.System)
	return m
}

// rank orders kinds by how much must be known to say so.
func rank(k Kind) int {
	return slices.Index([]Kind{Service, Queue, Cache, Store, Peer}, k)
}

func (g *Graph) edge(from, to string, async bool) *Edge {
	p := pair{from, to, async}
	e := g.edges[p]
	if e == nil {
		e = &Edge{From: from, To: to, Async: async}
		g.edges[p] = e
	}
	return e
}

// Nodes returns the nodes by name.
func (g *Graph) Nodes() []Node {
	out := make([]Node, 0, len(g.nodes))
	for _, n := range g.nodes {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(x, y Node) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// Edges returns the edges by caller, callee, and calls before messages.
func (g *Graph) Edges() []Edge {
	out := make([]Edge, 0, len(g.edges))
	for _, e := range g.edges {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(x, y Edge) int {
		async := func(e Edge) int {
			if e.Async {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.To, y.To), cmp.Compare(async(x), async(y)))
	})
	return out
}

// Node returns the node of the name, and whether there is one.
func (g *Graph) Node(name string) (Node, bool) {
	if n := g.nodes[name]; n != nil {
		return *n, true
	}
	return Node{}, false
}

// wire is the shape of a graph in JSON.
type wire struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// MarshalJSON writes {"nodes": [...], "edges": [...]}, in the order of Nodes
// and Edges.
func (g *Graph) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{g.Nodes(), g.Edges()})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (g *Graph) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*g = *New()
	for _, n := range w.Nodes {
		g.nodes[n.Name] = &n
	}
	for _, e := range w.Edges {
		g.edges[pair{e.From, e.To, e.Async}] = &e
	}
	return nil
}

// spanIndex finds the place of a span in a request by its id.
func spanIndex(r *request.Request) map[telemetry.SpanID]int {
	at := make(map[telemetry.SpanID]int, len(r.Spans))
	for i, s := range r.Spans {
		at[s.ID] = i
	}
	return at
}
