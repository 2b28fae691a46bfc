package kubernetes

import (
	"cmp"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"example.test/eddy/phase/contract"
)

// The defaults of "eddy phase drain".
const (
	defaultWait = 2 * time.Minute
	defaultTo   = "DRAIN"
	defaultStop = "SHUTDOWN"
)

// A drainHook is a preStop hook that runs "eddy phase drain".
type drainHook struct {
	container string
	command   []string
	env       map[string]string // what has a value in the manifest; others are ""
	flags     map[string]string
	arguments []string
	elsewhere bool // there is more in the environment than the manifest shows
}

// hookOf returns the hook of a container, if it is one of Eddy's.
func hookOf(c corev1.Container) (*drainHook, bool) {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Exec == nil {
		return nil, false
	}
	command := c.Lifecycle.PreStop.Exec.Command
	if len(command) < 3 || path.Base(command[0]) != "eddy" || command[1] != "phase" || command[2] != "drain" {
		return nil, false
	}
	h := &drainHook{container: c.Name, command: command, env: make(map[string]string), flags: make(map[string]string), elsewhere: len(c.EnvFrom) > 0}
	for _, v := range c.Env {
		h.env[v.Name] = v.Value
	}
	for rest := command[3:]; len(rest) > 0; rest = rest[1:] {
		name, isFlag := strings.CutPrefix(rest[0], "--")
		name, value, joined := strings.Cut(name, "=")
		switch {
		case !isFlag:
			h.arguments = append(h.arguments, rest[0])
			continue
		case !joined && name != "json" && len(rest) > 1:
			value, rest = rest[1], rest[1:]
		}
		h.flags[name] = value
	}
	return h, true
}

// setting is what a hook is told, by an argument, a flag or its environment, and
// whether it is told at all.
func (h *drainHook) setting(argument int, flag, env string) (string, bool) {
	if argument >= 0 && len(h.arguments) > argument {
		return h.arguments[argument], true
	}
	if v, ok := h.flags[flag]; ok {
		return v, true
	}
	v, ok := h.env[env]
	return v, ok
}

// duration is a flag that is one.
func (h *drainHook) duration(flag string, otherwise time.Duration) (time.Duration, error) {
	s, ok := h.flags[flag]
	if !ok {
		return otherwise, nil
	}
	return time.ParseDuration(s)
}

// checkHook looks at a hook by itself.
func (w *workload) checkHook(h *drainHook) {
	field := "containers[" + h.container + "].lifecycle.preStop"
	for _, arg := range h.command {
		if strings.Contains(arg, "$(") {
			w.problem("K03", contract.SeverityError, field, "set EDDY_SUBJECT in env, where it is expanded", "%q: Kubernetes expands no variables in the command of a hook", arg)
		}
	}
	for _, s := range []struct {
		argument  int
		flag, env string
		what      string
	}{{0, "", "EDDY_CONTRACT", "the contract"}, {1, "", "EDDY_SUBJECT", "the subject"}, {-1, "key", "EDDY_KEY", "a key"}, {-1, "server", "EDDY_SERVER", "the server"}} {
		if _, ok := h.setting(s.argument, s.flag, s.env); !ok && !h.elsewhere {
			w.problem("K09", contract.SeverityError, field, "set "+s.env+" in env", "the hook is not told %s", s.what)
		}
	}
	wait, err := h.duration("wait", defaultWait)
	fallback, err2 := h.duration("fallback", 0)
	if err := cmp.Or(err, err2); err != nil {
		w.problem("K01", contract.SeverityError, field, "", "%v", err)
		return
	}
	w.checkTimes(h, field, wait, fallback)
}

// checkTimes compares what the hook may take with what it is given, and with what its
// contract wants.
func (w *workload) checkTimes(h *drainHook, field string, wait, fallback time.Duration) {
	grace := time.Duration(corev1.DefaultTerminationGracePeriodSeconds) * time.Second
	if s := w.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	if wait+stopTime > grace {
		w.problem("K01", contract.SeverityError, "terminationGracePeriodSeconds", "make it "+(wait+stopTime).String()+" or longer, or --wait shorter",
			"the hook may take %s of %s, and then the program needs some time to stop (%s)", wait, grace, stopTime)
	}
	if fallback == 0 {
		w.problem("K07", contract.SeverityWarning, field, "add --fallback 10s, or as long as it takes until nobody routes to the pod any more", "when the hook cannot drain it returns at once, and the container ends then")
	}
	name, _ := h.setting(0, "", "EDDY_CONTRACT")
	if name == "" {
		return // it is said already, or comes from somewhere else
	}
	rules := w.contract(name, field)
	if rules == nil {
		return
	}
	to, stop := contract.PhaseName(cmp.Or(h.flags["to"], defaultTo)), contract.PhaseName(cmp.Or(h.flags["stop"], defaultStop))
	last, ok := rules.Transition(to, stop)
	if !ok {
		w.problem("K05", contract.SeverityError, field, "say which with --to and --stop", "%s has no transition from %s to %s", rules.ID(), to, stop)
		return
	}
	before := time.Duration(0)
	for _, t := range rules.Transitions {
		if t.To == to {
			before = max(before, t.Await.AtMost)
		}
	}
	if need := max(before, last.MinDwell) + last.Await.AtMost; need > wait-fallback {
		w.problem("K02", contract.SeverityError, field, "make --wait "+(need+fallback).String()+" or longer", "%s may want %s from the drain to the stop, and the hook takes %s for it", rules.ID(), need, wait-fallback)
	}
}

// checkAgree looks whether the hook announces what the gate goes by.
func (w *workload) checkAgree(h *drainHook) {
	field := "containers[" + h.container + "].env"
	name, _ := h.setting(0, "", "EDDY_CONTRACT")
	if gate := w.pod.Annotations[annotationContract]; name != "" && name != gate {
		w.problem("K06", contract.SeverityError, field, "", "the hook drains by the contract %s, and the readiness gate goes by %s", name, gate)
		return
	}
	rules := w.contracts(name)
	key, _ := h.setting(1, "", "EDDY_SUBJECT")
	if rules == nil || key == "" {
		return
	}
	want, err := w.subject(rules)
	if err != nil || sameKey(key, want) {
		return
	}
	w.problem("K06", contract.SeverityError, field, "set EDDY_SUBJECT to "+want+", or the annotation "+annotationSubject, "the hook drains %s, and the readiness gate goes by %s", key, want)
}

// sameKey reports whether a key of a manifest may be the one that is wanted. What has
// a variable in it may be anything, and a namespace may be left to whoever applies.
func sameKey(key, want string) bool {
	have, parts := strings.Split(key, "/"), strings.Split(want, "/")
	if len(have) != len(parts) {
		return false
	}
	for i, part := range parts {
		if have[i] != part && part != "" && !strings.Contains(have[i], "$(") {
			return false
		}
	}
	return true
}
