package sim

import (
	"crypto/sha256"
	"fmt"
	"math"
	"time"
)

// verifySameness: the same seed gives the same telemetry to the bit; and a policy
// that tries some requests again leaves the draws of the others alone.
func verifySameness(v *verifier) {
	m := benchModel(20 * time.Second)
	sums := replicate(v, 2, func(uint64) (string, error) {
		h := hashSink{sum: sha256.New()}
		s, err := New(m, 42, Settings{Sink: &h})
		if err != nil {
			return "", err
		}
		_, err = s.Run(v.ctx)
		return fmt.Sprintf("%x", h.sum.Sum(nil)), err
	})
	same := 0.0
	if sums[0] == sums[1] {
		same = 1
	}
	v.add("two runs of a seed: SHA-256 of their telemetry is the same", "", 1, exactly(same), "exact", same == 1)
	latency := func(attempts int) (map[uint64]Time, error) {
		m := oneService("common", 200, 60*time.Second, Service{Servers: 100000, ServiceTime: ExpDist(ten), Error: .1})
		m.Policies = []Policy{{From: "u", To: "s", Retry: Retry{MaxAttempts: attempts}}}
		out := make(map[uint64]Time)
		s, err := New(m, 42, Settings{Ended: func(e Ended) {
			if e.OK {
				out[e.Number] = e.End - e.Start
			}
		}})
		if err != nil {
			return nil, err
		}
		_, err = s.Run(v.ctx)
		return out, err
	}
	one, err := latency(1)
	if err != nil {
		v.err = err
		return
	}
	three, err := latency(3)
	if err != nil {
		v.err = err
		return
	}
	equal := 0
	for n, took := range one {
		if three[n] == took {
			equal++
		}
	}
	v.within("of the requests that succeed without retries, share whose latency retries do not change", "", 1, exactly(float64(equal)/float64(len(one))), 0)
}

// verifySpeed measures events a second of processor time.
func verifySpeed(v *verifier) {
	b, err := Bench(v.ctx, time.Second)
	if err != nil {
		v.err = err
		return
	}
	for _, r := range b {
		switch r.Name {
		case BenchEngine, BenchRun:
			v.add(r.Name+": million events a second of one core", "", 8, exactly(r.PerSecond/1e6), "at least", r.PerSecond >= 8e6)
			v.add(r.Name+": allocations an event", "", 0, exactly(r.Allocations), "at most 0.001", r.Allocations <= .001)
		case BenchTelemetry:
			v.add(r.Name+": million events a second of one core", "", 3, exactly(r.PerSecond/1e6), "at least", r.PerSecond >= 3e6)
			v.add(r.Name+": spans an event", "", 1, exactly(r.Spans), "0.5 or more", r.Spans >= .5 && !math.IsNaN(r.Spans))
		}
	}
}
