package accuracy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/condition"
)

// The columns of a fleet: eight services of four columns each, eight flags, and
// what belongs to the request, its place and its time.
const (
	services     = 8
	perService   = 4 // columns of a service: version, config, instance, phase
	colFlag      = services * perService
	flags        = 8
	colZone      = colFlag + flags
	colRegion    = colZone + 1
	colEntry     = colZone + 2
	colTenant    = colZone + 3
	colCache     = colZone + 4
	colOS        = colZone + 5
	colApp       = colZone + 6
	colAttempt   = colZone + 7
	colBackup    = colZone + 8
	colConns     = colZone + 9
	colBatch     = colZone + 10
	colRollout   = colZone + 11
	columns      = colZone + 12
	instances    = 4  // of each version
	endpoints    = 24 // zipf
	tenants      = 400
	rolling      = 6 // services from this one on are being deployed
	environments = colBackup
)

// The columns of a service, from its first one.
const (
	version = iota
	config  // goes with the version: an exact alias
	instance
	phase
)

// A column is one attribute of the fleet.
type column struct {
	entity, dimension string
	values            []string
	share             []float64 // of the requests, by value; nil where nothing is drawn
	first             condition.ID
	table             []uint16 // value by a number of tableBits bits
}

// tableBits is how finely shares are drawn.
const tableBits = 12

// draw makes the table of a column.
func (c *column) draw() {
	if c.share == nil {
		return
	}
	var sum float64
	for _, s := range c.share {
		sum += s
	}
	c.table = make([]uint16, 1<<tableBits)
	at, until := 0, c.share[0]/sum
	for i := range c.table {
		for at < len(c.share)-1 && (float64(i)+0.5)/float64(len(c.table)) > until {
			at++
			until += c.share[at] / sum
		}
		c.table[i] = uint16(at)
	}
	exact := make([]float64, len(c.share))
	for _, v := range c.table {
		exact[v] += 1.0 / float64(len(c.table))
	}
	c.share = exact
}

// A window is a time, as a part of the whole.
type window struct{ from, to float64 }

// A fleet draws the conditions of requests.
type fleet struct {
	rng     *rand.Rand
	columns [columns]column
	factor  []float64           // of the base risk, by endpoint
	windows [columns][]window   // of the environment columns
	turned  [services][]float64 // when each instance of a rolling service got the new version
	value   [columns]uint16     // of the request that was drawn last
	retried float64             // how many times the base risk a retry has
	twist   func(at float64)    // changes value after the draw
}

// newFleet makes a fleet of 52 columns; chance decides about the shares of
// endpoints, the times of the deployments and those of the environment.
func newFleet(seed uint64) *fleet {
	f := &fleet{rng: rand.New(rand.NewPCG(seed, 0xEDD1)), retried: 3}
	set := func(at int, entity, dimension string, values []string, share ...float64) {
		f.columns[at] = column{entity: entity, dimension: dimension, values: values, share: share}
	}
	for s := range services {
		entity, at := fmt.Sprintf("svc%d", s), s*perService
		versions := []string{"1", "2", "3"}
		shares := []float64{0.55, 0.3, 0.15}
		if s%2 == 1 {
			versions, shares = versions[:2], []float64{0.6, 0.4}
		}
		var configs, names []string
		for _, v := range versions {
			configs = append(configs, "c"+v)
			for k := range instances {
				names = append(names, fmt.Sprintf("%s-%s-%d", entity, v, k))
			}
		}
		set(at+version, entity, "service.version", versions, shares...)
		set(at+config, entity, "config", configs)
		set(at+instance, entity, "service.instance.id", names)
		set(at+phase, entity, "phase", []string{"cold", "warm", "full"}, 0.2, 0.5, 0.3)
		if s >= rolling {
			for range instances {
				f.turned[s] = append(f.turned[s], 0.2+0.6*f.rng.Float64())
			}
		}
	}
	on := []float64{0.5, 0.5, 0.3, 0.2, 0.1, 0.05, 0.4, 0.02}
	for k := range flags {
		set(colFlag+k, "", fmt.Sprintf("flag f%d", k), []string{"off", "on"}, 1-on[k], on[k])
	}
	set(colZone, "", "zone", []string{"a", "b", "c", "d"}, 0.35, 0.25, 0.2, 0.2)
	set(colRegion, "", "region", []string{"east", "west"})
	set(colEntry, "", "entry", numbered("GET /", endpoints), zipf(endpoints)...)
	set(colTenant, "", "tenant", numbered("t", tenants), zipf(tenants)...)
	set(colCache, "", "cache", []string{"hit", "miss"}, 0.8, 0.2)
	set(colOS, "", "os", []string{"android", "ios", "web"}, 0.45, 0.35, 0.2)
	set(colApp, "", "app", []string{"7.0", "7.1", "7.2", "8.0"}, 0.1, 0.2, 0.4, 0.3)
	set(colAttempt, "", "attempt", []string{"0", "1"}, 0.95, 0.05)
	for k, name := range []string{"backup", "connections", "batch", "rollout"} {
		set(colBackup+k, "db", name, []string{"no", "yes"})
	}
	id := condition.ID(0)
	for k := range f.columns {
		c := &f.columns[k]
		c.first = id
		id += condition.ID(len(c.values))
		c.draw()
	}
	f.spread()
	return f
}

// spread draws what differs from fleet to fleet.
func (f *fleet) spread() {
	f.factor = make([]float64, endpoints)
	var mean float64
	for e := range f.factor {
		f.factor[e] = math.Exp(0.7 * f.rng.NormFloat64())
		mean += f.factor[e] * f.columns[colEntry].share[e]
	}
	for e := range f.factor {
		f.factor[e] /= mean
	}
	for k := environments; k < columns; k++ {
		for range 1 + f.rng.IntN(4) {
			from := f.rng.Float64() * 0.9
			f.windows[k] = append(f.windows[k], window{from, from + 0.05 + 0.1*f.rng.Float64()})
		}
	}
	// Connections rise with the backup, a little later.
	f.windows[colConns] = nil
	for _, w := range f.windows[colBackup] {
		f.windows[colConns] = append(f.windows[colConns], window{w.from + 0.005, w.to + 0.01})
	}
}

func numbered(prefix string, n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprint(prefix, i)
	}
	return s
}

func zipf(n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = 1 / float64(i+1)
	}
	return s
}

// conditions lists all conditions by their numbers.
func (f *fleet) conditions() []condition.Condition {
	var all []condition.Condition
	for k := range f.columns {
		for v := range f.columns[k].values {
			all = append(all, f.condition(k, uint16(v)))
		}
	}
	return all
}

func (f *fleet) condition(col int, value uint16) condition.Condition {
	c := &f.columns[col]
	return condition.Condition{Entity: c.entity, Dimension: c.dimension, Value: c.values[value]}
}

// next draws a request that comes at a time from 0 to 1.
func (f *fleet) next(at float64) {
	var bits uint64
	left := 0
	take := func() uint64 {
		if left == 0 {
			bits, left = f.rng.Uint64(), 64/tableBits
		}
		x := bits & (1<<tableBits - 1)
		bits >>= tableBits
		left--
		return x
	}
	for k := range f.columns {
		if t := f.columns[k].table; t != nil {
			f.value[k] = t[take()]
		}
	}
	for s := range services {
		v := f.value[s*perService : (s+1)*perService]
		k := uint16(take() % instances)
		if s >= rolling {
			v[version] = 0
			if at > f.turned[s][k] {
				v[version] = 1
			}
		}
		v[config] = v[version]
		v[instance] = v[version]*instances + k
	}
	f.value[colRegion] = f.value[colZone] / 2
	for k := environments; k < columns; k++ {
		f.value[k] = 0
		if slices.ContainsFunc(f.windows[k], func(w window) bool { return w.from <= at && at < w.to }) {
			f.value[k] = 1
		}
	}
	if f.twist != nil {
		f.twist(at)
	}
}

// base is by how much the base risk of the request differs from the mean: by
// its endpoint, by the hour, and because retries fail more often.
func (f *fleet) base(at float64) float64 {
	r := f.factor[f.value[colEntry]] * hourly(at)
	if f.value[colAttempt] == 1 {
		r *= f.retried
	}
	again := f.columns[colAttempt].share[1]
	return r / (1 - again + again*f.retried)
}

// hourly is what the risk at a part of the time is multiplied by.
func hourly(at float64) float64 { return 1 + 0.5*math.Sin(2*math.Pi*at) }
