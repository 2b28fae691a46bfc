package kubernetes_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/examples/contracts"
	"example.test/eddy/internal/access"
	"example.test/eddy/internal/kubernetes"
	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase"
	"example.test/eddy/phase/wire"
)

// A mediation is a mediator with the contract rolling-drain, and a client that may
// announce.
type mediation struct {
	mediator *mediator.Mediator
	client   *phase.Client
	text     string
}

func mediate(t *testing.T) *mediation {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mediator.New(mediator.Config{State: &mediator.Memory{}, Alone: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := contextOf(t)
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) }) // it ends with the test
	open, err := access.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m.Handler(open))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close(); stop(); running.Wait() })
	text, _ := contracts.Read("rolling-drain")
	filled := strings.Replace(string(text), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", base64.StdEncoding.EncodeToString(public), 1)
	filled = strings.NewReplacer("minDwell: 5s", "minDwell: 0s", "assumedBound: 5s", "assumedBound: 10ms").Replace(filled)
	client, err := phase.Dial(phase.Config{URLs: []string{server.URL}, Signers: []phase.Signer{{KeyID: "checkout-2026a", Key: private}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return &mediation{m, client, filled}
}

// announced is a mediator as package app shows it to gates.
type announced struct{ *mediator.Mediator }

// Watch implements kubernetes.Phases.
func (a announced) Watch(ctx context.Context, contract string, tell func(changed []wire.Record) error) error {
	return a.Mediator.Watch(ctx, contract, "", 0, func(_ int64, news []*mediator.News) error {
		var changed []wire.Record
		for _, n := range news {
			changed = append(changed, n.Record)
		}
		return tell(changed)
	})
}

// use puts the contract in use.
func (m *mediation) use(t *testing.T, text string) {
	t.Helper()
	var err error
	eventually(t, "the contract is in use", func() bool {
		_, err = m.mediator.AddContract(t.Context(), "rolling-drain.yaml", []byte(text), "test")
		return err == nil || !strings.Contains(err.Error(), "not the mediator")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// to puts a phase of a pod in force.
func (m *mediation) to(ctx context.Context, t *testing.T, key string, name phase.Name) {
	t.Helper()
	p, err := m.client.Producer(ctx, phase.Subject{Contract: "rolling-drain", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.To(ctx, name, phase.WithFacts(phase.Facts{Probe: map[string]bool{"ready": true}})); err != nil {
		t.Fatal(err)
	}
}

// gatedPod is a pod with the gate, and with annotations in pairs.
func gatedPod(name string, annotations ...string) *corev1.Pod {
	p := newPod(name)
	p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: kubernetes.GateCondition}}
	p.Annotations = make(map[string]string)
	for i := 0; i < len(annotations); i += 2 {
		p.Annotations[annotations[i]] = annotations[i+1]
	}
	return p
}

func (c *cluster) expectCondition(t *testing.T, name, want string) {
	t.Helper()
	got := ""
	defer func() {
		if t.Failed() {
			t.Logf("the condition of %s is %q, want %q", name, got, want)
		}
	}()
	eventually(t, "the condition of "+name, func() bool { got = c.condition(name); return got == want })
}

func TestAReadinessGateFollowsThePhase(t *testing.T) {
	c, m := newCluster(t), mediate(t)
	m.use(t, m.text)
	c.put("pods", newPod("checkout-7f-plain"))
	c.put("pods", gatedPod("checkout-7f-a", "eddy.dev/contract", "rolling-drain"))
	begin(t, c, kubernetes.Config{Phases: announced{m.mediator}})
	const key = "shop/checkout/checkout-7f-a"
	c.expectCondition(t, "checkout-7f-a", "False PhaseForbids: "+key+" is in INIT at epoch 0 of rolling-drain@1, which does not allow new_request")
	m.to(t.Context(), t, key, "ACTIVE")
	c.expectCondition(t, "checkout-7f-a", "True PhaseAllows: "+key+" is in ACTIVE at epoch 1 of rolling-drain@1, which allows new_request")
	m.to(t.Context(), t, key, "DRAIN")
	c.expectCondition(t, "checkout-7f-a", "False PhaseForbids: "+key+" is in DRAIN at epoch 2 of rolling-drain@1, which does not allow new_request")
	// A pod that comes later has what is known already.
	c.put("pods", gatedPod("checkout-7f-b", "eddy.dev/contract", "rolling-drain", "eddy.dev/subject", key, "eddy.dev/action", "continue"))
	c.expectCondition(t, "checkout-7f-b", "True PhaseAllows: "+key+" is in DRAIN at epoch 2 of rolling-drain@1, which allows continue")
	if got := c.condition("checkout-7f-plain"); got != "" {
		t.Errorf("a pod without the gate was given %q", got)
	}
}

// What somebody has to mend stands in the condition, where "kubectl describe pod"
// shows it.
func TestAGateThatCannotBeToldSaysWhy(t *testing.T) {
	c, m := newCluster(t), mediate(t)
	elsewhere := strings.NewReplacer("name: rolling-drain", "name: by-zone", "{service.namespace}/", "{cloud.availability_zone}/").Replace(m.text)
	m.use(t, m.text)
	m.use(t, elsewhere)
	for name, annotations := range map[string][]string{
		"no-contract": nil, "another": {"eddy.dev/contract", "none"}, "no-key": {"eddy.dev/contract", "by-zone"},
		"no-action": {"eddy.dev/contract", "rolling-drain", "eddy.dev/action", "sing"},
	} {
		c.put("pods", gatedPod(name, annotations...))
	}
	begin(t, c, kubernetes.Config{Phases: announced{m.mediator}})
	c.expectCondition(t, "no-contract", "False NoContract: the pod has the readiness gate and no annotation eddy.dev/contract")
	c.expectCondition(t, "another", `False NoContract: there is no contract "none"; there is: by-zone, rolling-drain`)
	c.expectCondition(t, "no-key", "False NoSubject: keys of by-zone@1 are {cloud.availability_zone}/{service.name}/{service.instance.id}, and Kubernetes does not know "+
		"{cloud.availability_zone} of a pod: give the key in the annotation eddy.dev/subject")
	c.expectCondition(t, "no-action", "False NoAction: rolling-drain@1 has no action sing: name one in the annotation eddy.dev/action")
}

func TestAGateThatMayNotBeWrittenIsTriedAgain(t *testing.T) {
	c, m := newCluster(t), mediate(t)
	m.use(t, m.text)
	c.deny("patch pods", true)
	c.put("pods", gatedPod("checkout-7f-a", "eddy.dev/contract", "rolling-drain"))
	w := begin(t, c, kubernetes.Config{Phases: announced{m.mediator}})
	eventually(t, "the refusal is logged", func() bool {
		return strings.Contains(w.log.String(), "pods is forbidden: grant it as examples/kubernetes/rbac.yaml does")
	})
	c.deny("patch pods", false)
	eventually(t, "the condition is written", func() bool { return c.condition("checkout-7f-a") != "" })
}

// Whoever is not the mediator knows nothing, and leaves readiness as it is.
func TestAGateStaysWhileTheMediatorIsAway(t *testing.T) {
	c := newCluster(t)
	idle, err := mediator.New(mediator.Config{State: &mediator.Memory{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p := gatedPod("checkout-7f-a", "eddy.dev/contract", "rolling-drain")
	p.Status.Conditions = []corev1.PodCondition{{Type: kubernetes.GateCondition, Status: corev1.ConditionTrue, Reason: "PhaseAllows"}}
	c.put("pods", p)
	c.put("pods", gatedPod("told", "eddy.dev/other", ""))
	begin(t, c, kubernetes.Config{Phases: announced{idle}})
	eventually(t, "the other pod is told", func() bool { return c.condition("told") != "" })
	if got := c.condition("checkout-7f-a"); got != "True PhaseAllows: " {
		t.Errorf("the condition became %q while nobody knew the phase", got)
	}
	if got := fmt.Sprint(c.patches); strings.Contains(got, "checkout-7f-a") {
		t.Errorf("patches: %s", got)
	}
}
