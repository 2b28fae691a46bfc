package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.test/eddy/internal/incident"
)

// shopScenario is the shop of sendFailures, in which version 2 fails half of
// the time.
const shopScenario = `version: eddy.sim/v1
name: shop
horizon: 20s
warmup: 2s
topology:
  services:
    - {id: shop, version: 1.0.0, servers: 20, service_time: {exp: 5ms}}
workload:
  - {id: visitors, rate: 20, entry: shop, op: "GET /"}
rules:
  - {id: broken, at: shop, when: ["shop version=2.0.0"], prob: 0.5, error: Broken}
conditions:
  - {id: release, kind: deploy, target: shop, apply: {version: 2.0.0}, window: {from: 5s}}
  - {id: slower, kind: fault, target: shop, apply: {speed: 0.9}, window: {from: 5s}}
`

func TestAReproducedFindingIsConfirmedForGood(t *testing.T) {
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(shopScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	url, otlp, stop := startServerAt(t, data)
	t.Cleanup(stop)
	sendFailures(t, otlp)
	k := explained(t, url)[0]
	if k.Status != incident.Observed {
		t.Fatalf("before the experiment, the incident is %q", k.Status)
	}
	reproduce := func(more ...string) (out, errs string, status int) {
		return eddy(t, append([]string{"reproduce", string(k.ID), "--server", url, "--scenario", file}, more...)...)
	}
	if out, errs, status := reproduce("--no-record"); status != 0 || !strings.HasPrefix(out, "Confirmed: single cause of shop service.version=2.0.0.") || strings.Contains(errs, "recorded") {
		t.Fatalf("reproduce --no-record printed %q, %q, status %d", out, errs, status)
	}
	for range 2 { // the second time is the same result
		if _, errs, status := reproduce(); status != 0 || errs != "recorded: incident "+string(k.ID)+" is confirmed, with 1 experiment\n" {
			t.Fatalf("reproduce said %q, status %d", errs, status)
		}
	}
	stop()
	url, _, stop = startServerAt(t, data)
	t.Cleanup(stop)
	out, _, _ := eddy(t, "show", string(k.ID), "--server", url, "--json")
	var kept incident.Incident
	if err := json.Unmarshal([]byte(out), &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Status != incident.Confirmed || len(kept.Experiments) != 1 {
		t.Errorf("after a restart the incident is %q, with %d experiments", kept.Status, len(kept.Experiments))
	}
	out, _, _ = eddy(t, "show", string(k.ID), "--server", url)
	if out = strings.Join(strings.Fields(out), " "); !strings.Contains(out, "Experiment: confirmed in the simulator, with the system of shop: harm in") {
		t.Errorf("show printed\n%s", out)
	}
}
