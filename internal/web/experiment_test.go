package web_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/incident"
)

// reproduced is the body that says that an experiment confirmed conditions.
func reproduced(t testing.TB, of []condition.Condition) string {
	t.Helper()
	var all []string
	for _, c := range of {
		all = append(all, c.String())
	}
	text, err := json.Marshal(incident.Experiment{
		Status: incident.Confirmed, Conditions: of, System: "shop", Harm: "failed_share >= 0.05", By: "whoever",
		Places: []incident.Place{{Status: incident.Confirmed, Verdict: "proven conjunction", Seeds: [2]uint64{1, 20}, Arms: []incident.Arm{
			{Holds: []string{}, N: 40}, {Holds: all[:1], Harmed: 1, N: 40, Risk: 0.9}, {Holds: all, Harmed: 40, N: 40},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAConfirmedFindingIsShownWithItsExperiment(t *testing.T) {
	s := serve(t, shopConfig(t))
	const page, target = "/incidents/2026-11-21-1", "/api/v1/incidents/2026-11-21-1/experiments"
	if text := open(t, s.Handler(), page, 200).main().text(); !strings.Contains(text, "interaction, observed") || strings.Contains(text, "What an experiment says") {
		t.Errorf("before any experiment the page says\n%s", text)
	}
	for range 2 {
		if w := ask(t, s.Handler(), "POST", target, strings.NewReader(reproduced(t, twist()))); w.Code != 200 {
			t.Fatalf("got %d: %s", w.Code, w.Body)
		}
	}
	text := open(t, s.Handler(), page, 200).main().text()
	for _, want := range []string{"interaction, confirmed", "What an experiment says: confirmed", "Simulated with the system of shop. A run is harmed if failed_share >= 0.05.", "2.5%"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	w := ask(t, s.Handler(), "GET", "/api/v1/incidents/2026-11-21-1", nil)
	var k incident.Incident
	if err := json.Unmarshal(w.Body.Bytes(), &k); err != nil {
		t.Fatal(err)
	}
	if k.Status != incident.Confirmed || len(k.Experiments) != 1 || k.Experiments[0].By != "" || k.Experiments[0].Places[0].Arms[1].Risk != 0.025 {
		t.Errorf("the API has %s, %+v", k.Status, k.Experiments)
	}
}

func TestWhoRecordsAnExperimentNeedsTheRole(t *testing.T) {
	config := shopConfig(t)
	config.Access = tokens(t)
	s := serve(t, config)
	post := func(token string) *httptest.ResponseRecorder {
		return ask(t, s.Handler(), "POST", "/api/v1/incidents/2026-11-21-1/experiments", strings.NewReader(reproduced(t, twist())), "Authorization", "Bearer "+token)
	}
	if w := post("viewer-token-of-the-tests"); w.Code != 403 {
		t.Errorf("a viewer gets %d", w.Code)
	}
	w := post("operator-token-of-the-tests")
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"by":"runner"`) {
		t.Errorf("an operator gets %d: %s", w.Code, w.Body)
	}
}
