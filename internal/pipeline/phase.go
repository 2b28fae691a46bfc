package pipeline

import (
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/graph"
	"example.test/eddy/internal/incident"
)

// Phases is what compares announced phases with observed ones. It reads what the
// pipeline is given.
func (p *Pipeline) Phases() *conformance.Monitor { return p.phases }

// tellPages tells of incidents as pages: whoever is told of an incident is woken up
// by it.
func (p *Pipeline) tellPages(list []incident.Incident) {
	for _, k := range list {
		p.phases.Paged(conformance.Page{Incident: string(k.ID), Start: k.Opened, Ack: k.Closed})
	}
}

// passes answers whether requests that enter at a service go on to another one, as
// far as the window shows.
func passes(g *graph.Graph) func(entry, service string) bool {
	next := make(map[string][]string)
	for _, e := range g.Edges() {
		next[e.From] = append(next[e.From], e.To)
	}
	return func(entry, service string) bool {
		seen, open := map[string]bool{entry: true}, []string{entry}
		for len(open) > 0 {
			at := open[0]
			open = open[1:]
			if at == service {
				return true
			}
			for _, to := range next[at] {
				if !seen[to] {
					seen[to] = true
					open = append(open, to)
				}
			}
		}
		return false
	}
}
