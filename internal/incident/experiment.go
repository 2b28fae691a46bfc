package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// A Status is what experiments make of a finding.
type Status string

// The statuses. A finding is Observed until there is an experiment about just
// its conditions.
const (
	Observed Status = "observed"
	// Confirmed: an experiment shows that exactly the conditions of the finding do
	// the harm, each of them needed, wherever in their ranges the numbers lie that
	// are not known.
	Confirmed Status = "confirmed"
	// Refuted: an experiment shows something else, again everywhere.
	Refuted Status = "refuted"
	// Unsettled: it depends on numbers that are not known, or the runs do not
	// tell.
	Unsettled Status = "unsettled"
)

// An Experiment switched the conditions of a finding on and off, in every
// combination, and counted where that does harm.
type Experiment struct {
	Status Status `json:"status"`
	// Conditions are those that it switched, as the finding had them.
	Conditions []condition.Condition `json:"conditions"`
	// System is what was asked: the name of a scenario, or of a live system.
	System string `json:"system"`
	Live   bool   `json:"live,omitempty"` // whether it is real, and not simulated
	Harm   string `json:"harm"`           // when a run counts as harmed
	// Time is when the result was taken up, By whose token sent it.
	Time time.Time `json:"time"`
	By   string    `json:"by,omitempty"`
	// Places are the results: one for each place in the ranges of what is not
	// known, one if all is known.
	Places []Place `json:"places"`
}

// A Place is the result at one place in the ranges of what is not known.
type Place struct {
	// Values are the numbers that are not known, as "pay servers".
	Values  map[string]int `json:"values,omitempty"`
	Status  Status         `json:"status"`
	Verdict string         `json:"verdict"`
	// Seeds are the first and the last; the same ones give the same runs.
	Seeds [2]uint64 `json:"seeds"`
	Arms  []Arm     `json:"arms"`
}

// An Arm is what the runs with one combination of the conditions did.
type Arm struct {
	// Holds are those that were in force, as condition.Condition writes them.
	Holds  []string `json:"holds"`
	Harmed int      `json:"harmed"`
	N      int      `json:"n"`
	// Risk is Harmed of N, Low and High its 95 % interval (Wilson 1927). They are
	// counted anew from those two when a result is taken up.
	Risk float64 `json:"risk"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

const (
	// maxExperiments bounds what is kept of an incident; the oldest go first.
	maxExperiments = 20
	// maxPlaces, maxArms and maxText bound one experiment.
	maxPlaces = 100
	maxArms   = 128
	maxText   = 300
)

var (
	// ErrUnknown says that the tracker holds no such incident.
	ErrUnknown = errors.New("no such incident")
	// ErrOther says that an experiment is not about the finding of an incident.
	ErrOther = errors.New("the experiment is not about what explains this incident")
)

// Validate reports the first thing that makes no sense.
func (e *Experiment) Validate() error {
	switch {
	case !slices.Contains([]Status{Confirmed, Refuted, Unsettled}, e.Status):
		return fmt.Errorf("experiment status %q: want confirmed, refuted or unsettled", e.Status)
	case len(e.Conditions) == 0:
		return errors.New("experiment conditions: want those that were switched")
	case len(e.Places) == 0 || len(e.Places) > maxPlaces:
		return fmt.Errorf("experiment places: want 1 to %d, not %d", maxPlaces, len(e.Places))
	case e.System == "" || len(e.System) > maxText || e.Harm == "" || len(e.Harm) > maxText:
		return fmt.Errorf("experiment system and harm: want 1 to %d bytes of each", maxText)
	}
	var known []string
	for _, c := range e.Conditions {
		known = append(known, c.String())
	}
	for i := range e.Places {
		if err := e.Places[i].validate(known); err != nil {
			return fmt.Errorf("experiment place %d: %w", i+1, err)
		}
	}
	return nil
}

func (p *Place) validate(known []string) error {
	if len(p.Arms) == 0 || len(p.Arms) > maxArms || len(p.Verdict) > maxText || len(p.Values) > maxPlaces {
		return fmt.Errorf("want 1 to %d arms, a verdict of at most %d bytes and %d values", maxArms, maxText, maxPlaces)
	}
	for _, a := range p.Arms {
		if a.N < 1 || a.Harmed < 0 || a.Harmed > a.N {
			return fmt.Errorf("arm %q: %d harmed of %d runs", a.Holds, a.Harmed, a.N)
		}
		for _, c := range a.Holds {
			if !slices.Contains(known, c) {
				return fmt.Errorf("arm %q: %q is not one of the conditions", a.Holds, c)
			}
		}
	}
	return nil
}

// about reports whether an experiment is about just these conditions.
func (e *Experiment) about(list []condition.Condition) bool {
	return slices.Equal(slices.SortedFunc(slices.Values(e.Conditions), condition.Compare),
		slices.SortedFunc(slices.Values(list), condition.Compare))
}

// same reports whether both say the same, whoever sent them and when.
func (e *Experiment) same(other *Experiment) bool {
	a, b := *e, *other
	a.Time, a.By, b.Time, b.By = time.Time{}, "", time.Time{}, ""
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Sentence says what came of it, with the counts.
func (e *Experiment) Sentence() string {
	where := "in the simulator, with the system of " + e.System
	if e.Live {
		where = "by " + e.System
	}
	all, rest := Arm{}, Arm{}
	for _, p := range e.Places {
		for _, a := range p.Arms {
			sum := &rest
			if len(a.Holds) == len(e.Conditions) {
				sum = &all
			}
			sum.Harmed, sum.N = sum.Harmed+a.Harmed, sum.N+a.N
		}
	}
	how := "all of its conditions"
	switch len(e.Conditions) {
	case 1:
		how = "its condition"
	case 2:
		how = "both of its conditions"
	}
	return fmt.Sprintf("%s %s: harm in %s of %s with %s, and in %s of %s otherwise", e.Status, where,
		wording.Count(all.Harmed), wording.Plural(all.N, "run"), how, wording.Count(rest.Harmed), wording.Count(rest.N))
}

// Experiment returns the one that the status rests on: the last about the
// finding's conditions that confirmed or refuted it, or else the last about
// them; nil if there is none.
func (i *Incident) Experiment() *Experiment {
	if i.Finding == nil {
		return nil
	}
	var last *Experiment
	for k := len(i.Experiments) - 1; k >= 0; k-- {
		e := &i.Experiments[k]
		if !e.about(i.Finding.Conditions) {
			continue
		}
		if e.Status != Unsettled {
			return e
		}
		if last == nil {
			last = e
		}
	}
	return last
}

// settle sets the status anew. An experiment about other conditions than those
// that now explain the incident is kept, but says nothing about these.
func (i *Incident) settle() {
	i.Status = ""
	if i.Finding == nil {
		return
	}
	i.Status = Observed
	if e := i.Experiment(); e != nil {
		i.Status = e.Status
	}
}

// With returns the incident with the result of an experiment, and whether that
// is new: the same result twice is the same as once. It refuses with ErrOther
// what is about other conditions than those of the finding.
func (i Incident) With(e Experiment) (Incident, bool, error) {
	if err := e.Validate(); err != nil {
		return i, false, err
	}
	if i.Finding == nil {
		return i, false, fmt.Errorf("%w: nothing explains it", ErrOther)
	}
	if !e.about(i.Finding.Conditions) {
		return i, false, fmt.Errorf("%w: that is now %v", ErrOther, i.Finding.Conditions)
	}
	e = e.counted()
	if slices.ContainsFunc(i.Experiments, func(x Experiment) bool { return x.same(&e) }) {
		return i, false, nil
	}
	k := tracked{Incident: i}
	k.Incident = k.clone()
	k.Experiments = append(k.Experiments, e)
	if extra := len(k.Experiments) - maxExperiments; extra > 0 {
		k.Experiments = k.Experiments[extra:]
	}
	k.Updated = e.Time
	k.settle()
	k.add(Moment{Time: e.Time, What: string(e.Status), Text: e.Sentence()})
	return k.Incident, true, nil
}

// counted returns a copy whose risks and intervals are those of its counts.
func (e Experiment) counted() Experiment {
	e.Conditions, e.Places = slices.Clone(e.Conditions), slices.Clone(e.Places)
	for i := range e.Places {
		p := &e.Places[i]
		p.Values, p.Arms = maps.Clone(p.Values), slices.Clone(p.Arms)
		for k := range p.Arms {
			a := &p.Arms[k]
			a.Risk = float64(a.Harmed) / float64(a.N)
			a.Low, a.High = interaction.Wilson(float64(a.Harmed), float64(a.N))
		}
	}
	return e
}

// Record gives an incident the result of an experiment and returns it. It
// keeps it only if save does, which is not called for a result that is known
// already.
func (t *Tracker) Record(id ID, e Experiment, save func(Incident) error) (Incident, error) {
	at := slices.IndexFunc(t.list, func(k *tracked) bool { return k.ID == id })
	if at < 0 {
		return Incident{}, fmt.Errorf("incident %s: %w", id, ErrUnknown)
	}
	k := t.list[at]
	next, fresh, err := k.With(e)
	if err != nil {
		return Incident{}, fmt.Errorf("incident %s: %w", id, err)
	}
	if fresh {
		if err := save(next); err != nil {
			return Incident{}, err
		}
		k.Incident = next
	}
	return k.clone(), nil
}
