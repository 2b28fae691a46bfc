package conformance_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/conformance"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/contract"
)

// A world is a few services in which phases change, with every delay drawn from a
// seed. It tells a monitor what their telemetry would, and knows the truth.
type world struct {
	rng  *rand.Rand
	m    *conformance.Monitor
	c    *contract.Contract
	n    uint64
	sums map[string]float64

	arrived, refused, mismatched float64 // the truth about interactions

	shift   time.Duration // of all clocks
	sampled bool          // of requests only one in ten is traced
	until   time.Time
}

// at is a time of the world by its clocks.
func (w *world) at(t time.Duration) time.Time { return began.Add(w.shift + t) }

func newWorld(seed uint64, c *contract.Contract) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), m: monitor(c), c: c, sums: make(map[string]float64)}
	return w
}

// between draws a number of milliseconds.
func (w *world) between(low, high int) time.Duration {
	return time.Duration(low+w.rng.IntN(high-low+1)) * time.Millisecond
}

func (w *world) log(name string, at time.Duration, pairs ...string) {
	w.m.Add(w.at(at), telemetry.Batch{Logs: []*telemetry.Log{{Time: w.at(at), EventName: name, Attributes: attributes(pairs...)}}})
}

func (w *world) id() (telemetry.TraceID, telemetry.SpanID) {
	w.n++
	return telemetry.TraceID{byte(w.n >> 16), byte(w.n >> 8), byte(w.n), 15: 1}, telemetry.SpanID{byte(w.n >> 16), byte(w.n >> 8), byte(w.n), 7: 1}
}

// A pod is in one phase after another, by when each is in force. Router r learns of
// epoch e at learns[r][e]; below 0 it never does.
type pod struct {
	key    string
	phases []string
	at     []time.Duration // announced
	force  []time.Duration // in force
	learns [][]time.Duration
}

// announce tells of the pod's epochs.
func (w *world) announce(p pod, leave func(epoch int) bool) {
	for e, to := range p.phases {
		from := "INIT"
		if e > 0 {
			from = p.phases[e-1]
		}
		common := []string{attr.PhaseContract, w.c.ID(), attr.PhaseSubject, p.key, attr.PhaseEpoch, strconv.Itoa(e + 1)}
		if leave == nil || !leave(e+1) {
			w.log(attr.EventPhaseAnnounced, p.at[e], append(common, attr.PhaseFrom, from, attr.PhaseTo, to, attr.PhaseRegistered, strconv.Itoa(len(p.learns)))...)
		}
		w.log(attr.EventPhaseEnforced, p.force[e], append(common, attr.PhaseName, to)...)
		for r, learns := range p.learns {
			if learns[e] >= 0 {
				who := append(common, attr.PhaseName, to, attr.PhaseRole, "router", attr.ConsumerID, fmt.Sprintf("gw-%d", r))
				w.log(attr.EventPhaseObserved, learns[e], who...)
				w.log(attr.EventPhaseAcked, learns[e]+w.between(1, 20), who...)
			}
		}
	}
}

// last is the last of some times that is not after t, -1 if there is none.
func last(times []time.Duration, t time.Duration) int {
	at := -1
	for i, x := range times {
		if x >= 0 && x <= t {
			at = i
		}
	}
	return at
}

// serve lets every router send to the pod what its belief permits, about once a
// second, and counts and traces what arrives.
func (w *world) serve(p pod, from, to time.Duration, annotated func(router int, at time.Duration) bool) {
	type visit struct {
		router, actual, believed int
		at                       time.Duration
	}
	var list []visit
	for r, learns := range p.learns {
		for t := from + w.between(0, 500); t < to; t += w.between(200, 1500) {
			b, a := last(learns, t), last(p.force, t+5*time.Millisecond)
			if b >= 0 && p.phases[b] == "ACTIVE" && a >= 0 {
				list = append(list, visit{r, a, b, t + 5*time.Millisecond})
			}
		}
	}
	// Counters are sums, so what comes later must be told later.
	slices.SortFunc(list, func(a, b visit) int { return int(a.at - b.at) })
	for _, v := range list {
		w.interaction(p, v.router, v.actual, v.believed, v.at, annotated == nil || annotated(v.router, v.at))
	}
}

// interaction is one request that arrives at a pod, whose epoch is actual, from a
// router that believes in another.
func (w *world) interaction(p pod, router, actual, believed int, at time.Duration, annotated bool) {
	since := at - p.force[actual]
	i := contract.Interaction{Role: "router", Action: "new_request", Actual: contract.PhaseName(p.phases[actual]), Since: since, Believed: contract.PhaseName(p.phases[believed]), Known: true}
	v, role, belief := w.c.Judge(i), "router", p.phases[believed]
	i.Since = 0
	late := v != w.c.Judge(i)
	w.arrived++
	if v == contract.VerdictRefused {
		w.refused++
	}
	if v == contract.VerdictMismatch {
		w.mismatched++
	}
	if !annotated {
		v, role, belief, late = contract.VerdictUnannotated, "unknown", "?", since > w.c.Propagation.Bound
	}
	labels := []string{
		attr.PhaseContract, w.c.ID(), attr.PhaseRole, role, attr.PhaseAction, "new_request", attr.PhaseActual, p.phases[actual], attr.PhaseBelieved, belief,
		attr.PhaseLate, strconv.FormatBool(late), attr.PhaseVerdict, string(v),
	}
	series := p.key + fmt.Sprint(labels)
	w.sums[series]++
	trace, id := w.id()
	w.m.Add(w.at(at), telemetry.Batch{Points: []*telemetry.Point{{
		Time: w.at(at), Name: attr.MetricPhaseInteractions, Value: w.sums[series], Cumulative: true, Attributes: attributes(labels...), Resource: &telemetry.Resource{Service: "shop", Instance: p.key},
	}}})
	said := []string{
		attr.PhaseContract, w.c.ID(), attr.PhaseSubject, p.key, attr.PhaseAction, "new_request", attr.PhaseActual, p.phases[actual],
		attr.PhaseActualEpoch, strconv.Itoa(actual + 1), attr.PhaseActualSince, strconv.FormatInt(since.Milliseconds(), 10), attr.PhaseVerdict, string(v),
	}
	if annotated {
		said = append(said, attr.PhaseRole, role, attr.PhaseBelieved, belief)
	}
	client := &telemetry.Span{Trace: trace, ID: id, Kind: telemetry.KindClient, Start: w.at(at - 5*time.Millisecond), End: w.at(at), Resource: &telemetry.Resource{Service: fmt.Sprintf("gw-%d", router)}}
	_, id = w.id()
	server := &telemetry.Span{
		Trace: trace, ID: id, Parent: client.ID, Kind: telemetry.KindServer, Start: w.at(at), End: w.at(at + time.Millisecond),
		Resource: &telemetry.Resource{Service: "shop", Instance: p.key}, Attributes: attributes(said...),
	}
	w.request(v == contract.VerdictRefused, client, server)
}

// request completes one.
func (w *world) request(failed bool, spans ...*telemetry.Span) {
	if w.sampled && w.n%10 > 1 {
		return
	}
	r := request.Request{ID: request.ID{Trace: spans[0].Trace, Span: spans[0].ID}, Start: spans[0].Start, Spans: spans}
	if failed {
		r.Outcome = request.Failed
	}
	w.m.Requests(r.Start, []request.Request{r})
}

// rollout is pods that start, serve, drain and stop, one after the other.
func (w *world) rollout() []pod {
	var pods []pod
	routers := 2 + w.rng.IntN(3)
	for n := range 3 + w.rng.IntN(4) {
		start := time.Duration(n)*8*time.Second + w.between(0, 3000)
		drain := start + 60*time.Second + w.between(0, 5000)
		stop := drain + 2500*time.Millisecond + w.between(0, 2000)
		p := pod{
			key: fmt.Sprintf("shop/pod-%d", n), phases: []string{"ACTIVE", "DRAIN", "SHUTDOWN"},
			at:     []time.Duration{start + 20*time.Millisecond, drain, stop},
			force:  []time.Duration{start, drain + w.between(1, 30), stop + 2*time.Second},
			learns: make([][]time.Duration, routers),
		}
		for r := range routers {
			p.learns[r] = []time.Duration{p.at[0] + w.between(5, 900), p.at[1] + w.between(5, 900), p.at[2] + w.between(5, 900)}
		}
		pods = append(pods, p)
	}
	return pods
}

// play tells of a rollout; ask is when to ask about it.
func (w *world) play(pods []pod) (ask time.Time) {
	end := time.Duration(0)
	for _, p := range pods {
		w.announce(p, nil)
		w.serve(p, p.at[1]-10*time.Second, p.force[2]+10*time.Second, nil)
		end = max(end, p.force[2]+15*time.Second)
	}
	return began.Add(end)
}

// election is leaders that take over from each other, each with a token.
func (w *world) election(overlap bool) time.Time {
	t := time.Duration(0)
	planted := 1 + w.rng.IntN(3)
	for k := range 5 {
		holder, token := fmt.Sprintf("cron-%d", k%3), 300+2*k
		end := t + w.between(8000, 15000)
		for at := t + w.between(100, 600); at < end; at += w.between(300, 900) {
			w.write(holder, token, at, attr.FenceAccepted)
		}
		if overlap && k == planted { // it was paused, and does not know
			w.write(holder, token, end+3*time.Second, attr.FenceAccepted)
			w.write(holder, token, end+3*time.Second+w.between(5, 500), attr.FenceAccepted)
		}
		t = end + w.between(100, 700)
	}
	return began.Add(t)
}

func (w *world) write(holder string, token int, at time.Duration, verdict string) {
	trace, id := w.id()
	w.m.Add(began.Add(at), telemetry.Batch{Spans: []*telemetry.Span{{
		Trace: trace, ID: id, Start: began.Add(at), End: began.Add(at), Resource: &telemetry.Resource{Service: "cron", Instance: holder},
		Attributes: attributes(attr.FenceSubject, "shop/cron", attr.FenceToken, strconv.Itoa(token), attr.FenceVerdict, verdict),
	}}})
}

// migrate is a table that changes its schema; a straggler goes on reading with the
// old version in a phase that does not know it any more.
func (w *world) migrate(straggler bool) time.Time {
	phases := []string{"EXPANDED", "DUAL", "BACKFILLED", "SWITCHED", "CONTRACTED"}
	programs := [][]string{{"app-41", "app-42"}, {"app-42"}, {"app-42"}, {"app-42", "app-43"}, {"app-43"}}
	for e, to := range phases {
		from, at := "V1_ONLY", time.Duration(e)*time.Minute
		if e > 0 {
			from = phases[e-1]
		}
		common := []string{attr.PhaseContract, w.c.ID(), attr.PhaseSubject, "db/shop/orders", attr.PhaseEpoch, strconv.Itoa(e + 1)}
		w.log(attr.EventPhaseAnnounced, at, append(common, attr.PhaseFrom, from, attr.PhaseTo, to)...)
		w.log(attr.EventPhaseEnforced, at+time.Second, append(common, attr.PhaseName, to)...)
		for t := at + 2*time.Second; t < at+time.Minute; t += w.between(500, 3000) {
			w.exchange(to, programs[e][w.rng.IntN(len(programs[e]))], programs[e][w.rng.IntN(len(programs[e]))], t, false)
		}
	}
	if straggler {
		w.exchange("DUAL", "app-42", "app-41", time.Minute+w.between(3000, 50000), true)
	}
	return began.Add(time.Duration(len(phases)) * time.Minute)
}

func (w *world) exchange(phase, writer, reader string, at time.Duration, failed bool) {
	trace, id := w.id()
	list := []string{attr.PhaseContract, w.c.ID(), attr.PhaseSubject, "db/shop/orders", attr.PhaseActual, phase, attr.SchemaWriterVersion, writer, attr.SchemaReaderVersion, reader}
	if failed {
		list = append(list, attr.ErrorType, attr.ErrorTypeSchema)
	}
	w.request(failed, &telemetry.Span{
		Trace: trace, ID: id, Kind: telemetry.KindConsumer, Start: began.Add(at), End: began.Add(at), Resource: &telemetry.Resource{Service: "orders", Version: reader}, Attributes: attributes(list...),
	})
}

// all are the findings of an hour that do harm, as "F1 announced shop/pod-1".
func all(m *conformance.Monitor, now time.Time) []string {
	var list []string
	for _, f := range m.Report(time.Hour, now).Findings {
		if f.Severity == conformance.High {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Code, f.Origin, f.Subject)))
		}
	}
	return list
}

// seeds is how many worlds of each kind there are. EDDY_SEEDS sets another number.
func seeds() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("EDDY_SEEDS"), 10, 32); err == nil {
		return n
	}
	return 25
}

func TestHealthyRolloutsElectionsAndMigrationsGiveNoFinding(t *testing.T) {
	d, x := drain(t), migration(t)
	for seed := range seeds() {
		for name, play := range map[string]func() (*conformance.Monitor, time.Time){
			"rollout":   func() (*conformance.Monitor, time.Time) { w := newWorld(seed, d); return w.m, w.play(w.rollout()) },
			"election":  func() (*conformance.Monitor, time.Time) { w := newWorld(seed, d); return w.m, w.election(false) },
			"migration": func() (*conformance.Monitor, time.Time) { w := newWorld(seed, x); return w.m, w.migrate(false) },
			"rollback": func() (*conformance.Monitor, time.Time) { // to drain and back, once
				w := newWorld(seed, d)
				for e, to := range []string{"ACTIVE", "DRAIN", "ACTIVE"} {
					w.log(attr.EventPhaseAnnounced, time.Duration(e)*w.between(10_000, 60_000), attr.PhaseContract, d.ID(), attr.PhaseSubject, "shop/pod-1", attr.PhaseEpoch, strconv.Itoa(e+1),
						attr.PhaseFrom, []string{"INIT", "ACTIVE", "DRAIN"}[e], attr.PhaseTo, to)
				}
				return w.m, began.Add(5 * time.Minute)
			},
		} {
			m, now := play()
			if found := all(m, now); len(found) > 0 {
				t.Errorf("seed %d, healthy %s: found %q: %+v", seed, name, found, m.Report(time.Hour, now).Findings)
			}
		}
	}
}

func TestEachPlantedFailureIsFoundUnderItsNameAndNoOther(t *testing.T) {
	d, x := drain(t), migration(t)
	for seed := range seeds() {
		victim := func(pods []pod) int { return int(seed) % len(pods) }
		for name, plant := range map[string]func() (m *conformance.Monitor, now time.Time, want string){
			"F1: a router that never learns": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				pods := w.rollout()
				p := pods[victim(pods)]
				p.learns[0][1], p.learns[0][2] = -1, -1
				return w.m, w.play(pods), "F1 announced " + p.key
			},
			"F2: a leader that was paused": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				return w.m, w.election(true), "F2 announced shop/cron"
			},
			"F3: a worker that was not updated": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, x)
				return w.m, w.migrate(true), "F3 announced db/shop/orders"
			},
			"F4: a pod that goes back and forth": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				at := time.Duration(0)
				for e := range 6 + w.rng.IntN(6) {
					at += w.between(5_000, 240_000)
					w.log(attr.EventPhaseAnnounced, at, attr.PhaseContract, d.ID(), attr.PhaseSubject, "shop/pod-1", attr.PhaseEpoch, strconv.Itoa(e+1),
						attr.PhaseFrom, []string{"DRAIN", "ACTIVE"}[e%2], attr.PhaseTo, []string{"ACTIVE", "DRAIN"}[e%2])
				}
				return w.m, began.Add(at + time.Minute), "F4 announced shop"
			},
			"F5: a pod that stops without a word": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				pods := w.rollout()
				p := pods[victim(pods)]
				w.announce(p, func(epoch int) bool { return epoch == 3 })
				return w.m, began.Add(p.force[2] + 10*time.Second), "F5 announced " + p.key
			},
			"F5: a router that missed an epoch": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				pods := w.rollout()
				p := pods[victim(pods)]
				p.learns[1][1] = -1
				w.announce(p, nil)
				return w.m, began.Add(p.at[2] + 10*time.Second), "F5 announced " + p.key
			},
			"F5: beliefs that expired": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				pods := w.rollout()
				p := pods[victim(pods)]
				p.phases, p.at, p.force = p.phases[:1], p.at[:1], p.force[:1]
				for r := range p.learns {
					p.learns[r] = p.learns[r][:1]
				}
				w.announce(p, nil)
				from := p.at[0] + w.between(5_000, 20_000)
				w.serve(p, p.at[0], from+8*time.Second, nil)
				w.log(attr.EventPhaseExpired, from, attr.PhaseContract, d.ID(), attr.PhaseSubject, p.key, attr.PhaseEpoch, "1", attr.ConsumerID, "gw-0")
				return w.m, began.Add(from + 9*time.Second), "F5 announced " + p.key
			},
			"F5: a gateway that does not annotate any more": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				pods := w.rollout()
				p := pods[victim(pods)]
				p.phases, p.at, p.force = p.phases[:1], p.at[:1], p.force[:1]
				for r := range p.learns {
					p.learns[r] = p.learns[r][:1]
				}
				w.announce(p, nil)
				w.serve(p, p.at[0], p.at[0]+8*time.Minute, func(router int, at time.Duration) bool { return router != 1 || at < p.at[0]+4*time.Minute })
				return w.m, began.Add(p.at[0] + 8*time.Minute), "F5 announced gw-1"
			},
			"stuck: a pod that does not stop": func() (*conformance.Monitor, time.Time, string) {
				w := newWorld(seed, d)
				p := w.rollout()[0]
				p.force[2] = time.Hour // and says nothing until then
				w.announce(pod{p.key, p.phases[:2], p.at[:2], p.force[:2], p.learns}, nil)
				w.log(attr.EventPhaseAnnounced, p.at[2], attr.PhaseContract, d.ID(), attr.PhaseSubject, p.key, attr.PhaseEpoch, "3", attr.PhaseFrom, "DRAIN", attr.PhaseTo, "SHUTDOWN")
				return w.m, began.Add(p.at[2] + time.Minute), "stuck announced " + p.key
			},
		} {
			m, now, want := plant()
			if found := all(m, now); !slices.Equal(found, []string{want}) {
				t.Errorf("seed %d, %s: found %q, want %q: %+v", seed, name, found, want, m.Report(time.Hour, now).Findings)
			}
		}
	}
}

func TestM1OfARolloutIsTheTruth(t *testing.T) {
	d := drain(t)
	for seed := range seeds() / 4 {
		w := newWorld(seed, d)
		pods := w.rollout()
		pods[0].learns[0][1], pods[0].learns[0][2] = -1, -1
		now := w.play(pods)
		if got := w.m.Report(time.Hour, now).Indicators[0].M1; got.Of != w.arrived || got.Part != w.refused+w.mismatched || got.Part == 0 {
			t.Errorf("seed %d: M1 %+v, want %v refused and %v mismatched of %v", seed, got, w.refused, w.mismatched, w.arrived)
		}
	}
}

// scale lets an autoscaler change its mind a number of times, in one or more steps.
func (w *world) scale(turns int) time.Duration {
	at, n := time.Duration(0), 10
	for turn := range turns {
		for range 1 + w.rng.IntN(3) {
			at += w.between(5_000, 100_000)
			before := n
			n += 1 - 2*(turn%2)
			w.m.Add(began.Add(at), telemetry.Batch{Changes: []*telemetry.Change{{
				Time: began.Add(at), Kind: telemetry.ChangeScale, Entity: "cart", Dimension: "replicas", Value: strconv.Itoa(n), Previous: strconv.Itoa(before),
			}}})
		}
	}
	return at + time.Second
}

// An endpoint is an instance that announces nothing: an orchestrator reports when
// it is ready, when it terminates and when it is gone.
type endpoint struct {
	name               string
	ready, drain, gone time.Duration
}

func (w *world) change(at time.Duration, dimension, entity, instance, value, previous string) {
	w.n++
	w.m.Add(began.Add(at), telemetry.Batch{Changes: []*telemetry.Change{{
		ID: strconv.FormatUint(w.n, 10), Time: began.Add(at), Kind: telemetry.ChangePhase, Entity: entity, Instance: instance,
		Dimension: dimension, Value: value, Previous: previous, Ends: value == "", Source: "kubernetes",
	}}})
}

// report tells what an orchestrator sees of an endpoint.
func (w *world) report(e endpoint, terminates bool) {
	const dimension = telemetry.DimensionEndpoint + "cart"
	w.change(e.ready-2*time.Second, dimension, "cart", e.name, telemetry.EndpointNotReady, "")
	w.change(e.ready, dimension, "cart", e.name, telemetry.EndpointReady, telemetry.EndpointNotReady)
	if terminates {
		w.change(e.drain, telemetry.DimensionPod, "cart", e.name, telemetry.PodTerminating, "")
		w.change(e.drain+w.between(20, 300), dimension, "cart", e.name, telemetry.EndpointServing, telemetry.EndpointReady)
	}
	w.change(e.gone, dimension, "cart", e.name, "", "")
}

// call sends requests to an endpoint from when it is ready until a time; from broken
// on each of them fails, as at a server that has stopped.
func (w *world) call(e endpoint, until, broken time.Duration) {
	for t := e.ready + w.between(100, 900); t < until; t += w.between(100, 700) {
		trace, id := w.id()
		client := &telemetry.Span{Trace: trace, ID: id, Kind: telemetry.KindClient, Start: began.Add(t), End: began.Add(t + 5*time.Millisecond), Resource: &telemetry.Resource{Service: "gateway"}}
		if t < broken {
			_, id = w.id()
			w.request(false, client, &telemetry.Span{Trace: trace, ID: id, Parent: client.ID, Kind: telemetry.KindServer, Start: began.Add(t), End: began.Add(t), Resource: &telemetry.Resource{Service: "cart", Instance: e.name}})
			continue
		}
		client.Status, client.Attributes = telemetry.StatusError, attributes(attr.ServerAddress, e.name, attr.ErrorType, "connection_refused")
		w.request(true, client)
	}
}

// fleet is endpoints that are replaced one after the other.
func (w *world) fleet() []endpoint {
	var list []endpoint
	for n := range 3 + w.rng.IntN(4) {
		ready := time.Duration(n)*5*time.Second + w.between(2000, 4000)
		drain := ready + 20*time.Second + w.between(0, 10_000)
		list = append(list, endpoint{fmt.Sprintf("cart-%d", n), ready, drain, drain + 15*time.Second + w.between(0, 10_000)})
	}
	return list
}

// job commits a job of a scheduler that has no tokens.
func (w *world) job(n int, instance string, at time.Duration) {
	trace, id := w.id()
	w.m.Add(w.at(at), telemetry.Batch{Spans: []*telemetry.Span{{
		Trace: trace, ID: id, Start: w.at(at), End: w.at(at), Resource: &telemetry.Resource{Service: "cron", Instance: instance},
		Attributes: attributes(attr.JobID, strconv.Itoa(n), attr.JobAttempt, "1", attr.JobOutcome, attr.JobCommitted),
	}}})
}

// lease passes between instances, whose identities have a suffix as client-go's have.
func (w *world) lease(overlap bool) time.Time {
	t, n := time.Duration(0), 0
	for k := range 5 {
		instance := fmt.Sprintf("cron-%d", k%3)
		w.change(t, telemetry.DimensionLease, "shop/cron", "", instance+"_7c1f", "")
		end := t + w.between(8000, 15000)
		for at := t + w.between(100, 600); at < end; at += w.between(300, 900) {
			n++
			w.job(n, instance, at)
		}
		if overlap && k == 2 {
			w.job(n, instance, end+4*time.Second)
		}
		t = end + w.between(100, 700)
	}
	return began.Add(t)
}

func TestOfServicesThatAnnounceNothingHealthIsNotFoundAndFailuresAre(t *testing.T) {
	d := drain(t)
	const never = time.Duration(1) << 60
	for seed := range seeds() {
		for name, play := range map[string]func(*world) (now time.Duration, want string){
			"a rollout": func(w *world) (time.Duration, string) {
				for _, e := range w.fleet() {
					w.report(e, true)
					w.call(e, e.drain+w.between(200, 3000), never)
				}
				return 2 * time.Minute, ""
			},
			"a server that stops before its callers know": func(w *world) (time.Duration, string) {
				fleet := w.fleet()
				for n, e := range fleet {
					w.report(e, true)
					if n == int(seed)%len(fleet) {
						w.call(e, e.drain+5*time.Second, e.drain+w.between(50, 400))
						continue
					}
					w.call(e, e.drain+w.between(200, 3000), never)
				}
				return 2 * time.Minute, "F1 inferred cart/" + fleet[int(seed)%len(fleet)].name
			},
			"a server that is gone at once": func(w *world) (time.Duration, string) {
				e := w.fleet()[0]
				w.report(e, false)
				w.call(e, e.gone+5*time.Second, e.gone)
				return 2 * time.Minute, "F5 inferred cart/" + e.name
			},
			"a probe that fails now and then": func(w *world) (time.Duration, string) {
				at := time.Duration(0)
				for k := range 8 + w.rng.IntN(4) {
					at += w.between(5_000, 200_000)
					w.change(at, telemetry.DimensionEndpoint+"cart", "cart", "cart-0", []string{telemetry.EndpointNotReady, telemetry.EndpointReady}[k%2], "")
				}
				return at + time.Minute, "F4 inferred cart/cart-0"
			},
			"an autoscaler that cannot decide": func(w *world) (time.Duration, string) {
				return w.scale(8 + w.rng.IntN(6)), "F4 inferred cart"
			},
			"an autoscaler that follows a peak": func(w *world) (time.Duration, string) {
				return w.scale(2), ""
			},
			"a probe that failed once": func(w *world) (time.Duration, string) {
				for k, value := range []string{telemetry.EndpointNotReady, telemetry.EndpointReady, telemetry.EndpointNotReady, telemetry.EndpointReady} {
					w.change(time.Duration(k)*w.between(5_000, 60_000), telemetry.DimensionEndpoint+"cart", "cart", "cart-0", value, "")
				}
				return 5 * time.Minute, ""
			},
			"an election": func(w *world) (time.Duration, string) {
				return w.lease(false).Sub(began), ""
			},
			"a leader that goes on": func(w *world) (time.Duration, string) {
				return w.lease(true).Sub(began), "F2 inferred shop/cron"
			},
			"jobs that anybody does": func(w *world) (time.Duration, string) {
				now := w.lease(true).Sub(began)
				for n := range 20 {
					w.job(1000+n, "cron-9", time.Duration(n)*time.Second)
				}
				return now, ""
			},
		} {
			w := newWorld(seed, d)
			now, want := play(w)
			if found := strings.Join(all(w.m, began.Add(now)), ", "); found != want {
				t.Errorf("seed %d, %s: found %q, want %q", seed, name, found, want)
			}
		}
	}
}

// With the schema's versions on neither side, the versions of the services stand for
// them.
func TestAServiceVersionStandsForAReaderThatDoesNotSay(t *testing.T) {
	x := migration(t)
	w := newWorld(1, x)
	w.migrate(false)
	trace, id := w.id()
	writer := &telemetry.Span{Trace: trace, ID: id, Kind: telemetry.KindProducer, Start: began.Add(80 * time.Second), End: began.Add(80 * time.Second), Resource: &telemetry.Resource{Service: "shop", Version: "app-42"}}
	_, id = w.id()
	reader := &telemetry.Span{
		Trace: trace, ID: id, Parent: writer.ID, Kind: telemetry.KindConsumer, Start: began.Add(81 * time.Second), End: began.Add(81 * time.Second),
		Resource: &telemetry.Resource{Service: "orders", Version: "app-41"}, Attributes: attributes(attr.ErrorType, attr.ErrorTypeSchema),
	}
	w.request(true, writer, reader)
	if found := all(w.m, began.Add(5*time.Minute)); !slices.Equal(found, []string{"F3 inferred db/shop/orders"}) {
		t.Errorf("found %q, want that app-41 met in DUAL what app-42 writes", found)
	}
}

func TestTheExamplesOfAPairAreTheFirst(t *testing.T) {
	w := newWorld(1, migration(t))
	w.migrate(false)
	for n := range 15 {
		w.exchange("DUAL", "app-42", "app-41", time.Minute+time.Duration(n+1)*3*time.Second, true)
	}
	traces := func() []telemetry.TraceID {
		found := w.m.Report(time.Hour, began.Add(5*time.Minute)).Findings
		i := slices.IndexFunc(found, func(f conformance.Finding) bool { return f.Code == "F3" })
		if i < 0 {
			t.Fatal("no F3")
		}
		return found[i].Traces
	}
	first := traces()
	for range 20 {
		if again := traces(); !slices.Equal(again, first) {
			t.Fatalf("the examples are %v and then %v", first, again)
		}
	}
}
