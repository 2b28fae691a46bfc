package sim

import (
	"sort"

	"example.test/eddy/attr"
)

// bounds are those that the semantic conventions advise for durations, in
// seconds.
func bounds() []float64 {
	return []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
}

// scrape is what metrics say since they were last read.
type scrape struct {
	bounds    []float64
	durations []durations // by resource
	since     Time
}

// durations is a histogram of one resource.
type durations struct {
	counts []uint64
	n      uint64
	sum    float64
	last   Time // when the last ended that is counted
	// exemplars are, for each bucket, the last measurement that is of a trace that
	// was sampled, as the SDK keeps them.
	exemplars []exemplar
}

// An exemplar is a measurement and the span that it was made in.
type exemplar struct {
	at         Time
	value      float64
	hi, lo, id uint64 // lo is 0 if there is none
}

// served counts a request in the histogram of the resource that served it.
func (c *scrape) served(sp *span, resource int32, sampled bool) {
	d := c.of(resource)
	s := (sp.end - sp.start).Seconds()
	bucket := sort.SearchFloat64s(c.bounds, s)
	d.counts[bucket]++
	d.n++
	d.sum += s
	d.last = sp.end
	if sampled {
		d.exemplars[bucket] = exemplar{sp.end, s, sp.hi, sp.lo, sp.id}
	}
}

// of returns the histogram of a resource.
func (c *scrape) of(resource int32) *durations {
	if c.bounds == nil {
		c.bounds = bounds()
	}
	for int(resource) >= len(c.durations) {
		c.durations = append(c.durations, durations{counts: make([]uint64, len(c.bounds)+1), exemplars: make([]exemplar, len(c.bounds)+1)})
	}
	return &c.durations[resource]
}

// scrape reads the metrics of all instances.
func (t *tap) scrape() {
	s := t.sim
	e := t.enc
	e.reset()
	e.open(0, "")
	e.list("resourceMetrics")
	for _, v := range s.services {
		for _, st := range v.stations {
			t.scrapeEnded(st)
			if st.up {
				t.scrapeInstance(v, st)
			}
		}
	}
	e.endList()
	e.close()
	t.send(Metrics)
	t.scraped.since = s.engine.now
	for i := range t.scraped.durations {
		d := &t.scraped.durations[i]
		clear(d.counts)
		clear(d.exemplars)
		d.n, d.sum = 0, 0
	}
}

// scrapeEnded tells what the processes had counted that have given way to another
// version since. Each told it when it ended.
func (t *tap) scrapeEnded(st *station) {
	now := t.identities[t.now[st.id]].resource
	for i := st.id; i != none; i = t.resources[i].next {
		if i == now || int(i) >= len(t.scraped.durations) || t.scraped.durations[i].n == 0 {
			continue
		}
		t.openResource(i, "scopeMetrics", "metrics")
		t.histogram("http.server.request.duration", i, t.scraped.durations[i].last)
		t.closeResource()
	}
}

func (t *tap) scrapeInstance(v *service, st *station) {
	resource := t.identities[t.now[st.id]].resource
	t.openResource(resource, "scopeMetrics", "metrics")
	t.gauge("http.server.active_requests", "{request}", point{value: int64(st.present)})
	if t.scraped.durations != nil {
		t.histogram("http.server.request.duration", resource, t.sim.engine.now)
	}
	seen := make(map[*edge]bool)
	for _, step := range v.steps {
		t.pools(step.edge, st, seen)
		if c, ok := t.sim.nodes[step.edge.callee].(*cache); ok {
			t.pools(c.loads[step.edge.id], st, seen)
		}
	}
	if st.id == 0 {
		t.gauge("otel.sdk.processor.span.dropped", "{span}", point{value: int64(t.count.Overflow), list: []attribute{{key: attr.ErrorType, text: "queue_full"}}})
	}
	t.closeResource()
}

// pools tells of the connections of one instance over an edge.
func (t *tap) pools(d *edge, st *station, seen map[*edge]bool) {
	if d.spec.Pool.Max == 0 || seen[d] {
		return
	}
	seen[d] = true
	g := &d.gates[st.instance]
	pool := attribute{key: attr.DBClientConnectionPoolName, text: d.to}
	state := func(s string) []attribute {
		return []attribute{pool, {key: attr.DBClientConnectionState, text: s}}
	}
	t.gauge(attr.DBClientConnectionCount, "{connection}",
		point{value: int64(g.open), list: state("used")}, point{value: int64(d.spec.Pool.Max - g.open), list: state("idle")})
	t.gauge(attr.DBClientConnectionMax, "{connection}", point{value: int64(d.spec.Pool.Max), list: []attribute{pool}})
	t.gauge("db.client.connection.pending_requests", "{request}", point{value: int64(g.connections.n), list: []attribute{pool}})
}

// A point is one value of a gauge.
type point struct {
	value int64
	list  []attribute
}

func (t *tap) openMetric(name, unit string) {
	t.enc.open(2, "")
	t.enc.text(1, "name", name)
	t.enc.text(3, "unit", unit)
}

func (t *tap) gauge(name, unit string, points ...point) {
	e := t.enc
	t.openMetric(name, unit)
	e.open(5, "gauge")
	e.list("dataPoints")
	for _, p := range points {
		e.open(1, "")
		e.fixed(3, "timeUnixNano", t.at(t.sim.engine.now, none))
		e.double(4, "asDouble", float64(p.value))
		e.list("attributes")
		attributes(e, 7, p.list)
		e.endList()
		e.close()
		t.count.Points++
	}
	e.endList()
	e.close()
	e.close()
}

// histogram tells what a resource had counted at a time.
func (t *tap) histogram(name string, resource int32, at Time) {
	e := t.enc
	d := t.scraped.of(resource)
	t.openMetric(name, "s")
	e.open(9, "histogram")
	e.enum(2, "aggregationTemporality", 1) // delta
	e.list("dataPoints")
	e.open(1, "")
	e.fixed(2, "startTimeUnixNano", t.at(t.scraped.since, none))
	e.fixed(3, "timeUnixNano", t.at(at, none))
	e.fixed(4, "count", d.n)
	e.double(5, "sum", d.sum)
	e.counts(6, "bucketCounts", d.counts)
	e.doubles(7, "explicitBounds", t.scraped.bounds)
	t.exemplars(d.exemplars)
	e.close()
	e.endList()
	e.close()
	e.close()
	t.count.Points++
}

func (t *tap) exemplars(list []exemplar) {
	e := t.enc
	e.list("exemplars")
	for i := range list {
		x := &list[i]
		if x.lo == 0 {
			continue
		}
		e.open(8, "")
		e.fixed(2, "timeUnixNano", t.at(x.at, none))
		e.double(3, "asDouble", x.value)
		e.id(4, "spanId", 0, x.id)
		e.id(5, "traceId", x.hi, x.lo)
		e.close()
	}
	e.endList()
}
