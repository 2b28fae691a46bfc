package kubernetes_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/telemetry"
)

// How long it takes until a cluster of 5,000 pods behind one Service is watched, and
// what each then takes in memory. A pod has 4 kB of what is not needed.
func BenchmarkAClusterIsRead(b *testing.B) {
	const pods, slice = 5000, 100
	c := newCluster(b)
	for i := range pods / slice {
		s := newSlice(fmt.Sprint("s", i), "checkout")
		for j := range slice {
			p := newPod(fmt.Sprintf("checkout-7f-%d-%d", i, j))
			p.Spec.Containers = []corev1.Container{{Name: "checkout", Image: "checkout", Args: []string{strings.Repeat("x", 4000)}}}
			c.put("pods", p)
			s.Endpoints = append(s.Endpoints, endpoint(p, "rs"))
		}
		c.put("endpointslices", s)
	}
	var kept uint64
	for b.Loop() {
		before := heap()
		log := &lines{}
		w, err := kubernetes.New(kubernetes.Config{
			Kubeconfig: c.kubeconfig(b), Log: slog.New(slog.NewTextHandler(log, nil)),
			Report: func(change *telemetry.Change) error { b.Errorf("reported %s", text(change)); return nil },
		})
		if err != nil {
			b.Fatal(err)
		}
		stop := run(b, w)
		eventually(b, "kubernetes is watched", func() bool { return strings.Contains(log.String(), "kubernetes is watched") })
		kept += heap() - before
		stop()
	}
	b.ReportMetric(float64(kept)/float64(b.N)/pods, "B/pod")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
