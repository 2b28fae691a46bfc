package accuracy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

// An explainer answers an incident with a ranked list of sets.
type explainer struct {
	name    string
	explain func(ctx context.Context, i *Incident) ([]Set, error)
}

func explainers() []explainer {
	simple := func(score func(c, total count) float64) func(context.Context, *Incident) ([]Set, error) {
		return func(_ context.Context, i *Incident) ([]Set, error) { return i.rank(score), nil }
	}
	return []explainer{
		{"eddy, since the minute", func(ctx context.Context, i *Incident) ([]Set, error) { return i.Since(ctx) }},
		{"eddy, the minute alone", func(ctx context.Context, i *Incident) ([]Set, error) { return i.mine(ctx, minutes-1) }},
		{"eddy, five minutes at once", func(ctx context.Context, i *Incident) ([]Set, error) { return i.mine(ctx, 0) }},
		{"WRAcc of the minute", simple(wracc)},
		{"WRAcc of the change", simple(gain)},
		{"excess over history", simple(excess)},
		{"z of the rates", simple(zOfRates)},
	}
}

// table is the incident as the engine gets it, from a minute on.
func (i *Incident) table(from int) interaction.Table {
	d := condition.NewDictionary(0)
	var t interaction.Table
	for _, c := range i.Cells {
		if c.Minute < from {
			continue
		}
		r := interaction.Row{Time: i.Start.Add(time.Duration(c.Minute) * time.Minute), Total: c.All, Failed: c.Bad}
		for _, x := range c.Set {
			id, _ := d.ID(x) // there is room for all
			r.Conditions = append(r.Conditions, id)
		}
		slices.Sort(r.Conditions)
		t.Rows = append(t.Rows, r)
	}
	t.Conditions = d.All()
	return t
}

// Since asks the engine what changed in the minute: what it found, then the
// rivals.
func (i *Incident) Since(ctx context.Context) ([]Set, error) {
	r, err := interaction.Mine(ctx, i.table(0), interaction.Options{
		Location: []string{}, Noun: "events", Since: i.Start.Add((minutes - 1) * time.Minute),
	})
	sets := answerOf(r)
	for _, x := range r.Rivals {
		sets = append(sets, NewSet(x.Conditions...))
	}
	return sets, err
}

// mine asks the engine about the minutes from one on, all alike.
func (i *Incident) mine(ctx context.Context, from int) ([]Set, error) {
	r, err := interaction.Mine(ctx, i.table(from), interaction.Options{Location: []string{}, Noun: "events"})
	return answerOf(r), err
}

// tops are the shares right at 1, 3 and 5.
type tops [3]Share

func (t *tops) count(i *Incident, answer []Set) {
	for x, k := range []int{1, 3, 5} {
		t[x].Count(i.Right(answer, k))
	}
}

func (t tops) String() string {
	return fmt.Sprintf("%.2f / %.2f / %.2f", t[0].Rate(), t[1].Rate(), t[2].Rate())
}

// An incidentScore sums up the answers to all incidents.
type incidentScore struct {
	all    tops
	half   [2]tops // even and odd
	order  [4]tops // one label of one to three conditions; several labels
	single Share   // of the labels of one condition, the first set has one
}

func scoreIncidents(all []Incident, answers [][]Set) incidentScore {
	var x incidentScore
	for k, a := range answers {
		i := &all[k]
		x.all.count(i, a)
		x.half[k%2].count(i, a)
		group := i.Order() - 1
		if len(i.Causes) > 1 {
			group = 3
		} else if i.Order() == 1 {
			x.single.Count(len(a) > 0 && len(a[0]) == 1)
		}
		x.order[group].count(i, a)
	}
	return x
}

// incidentTables are how often the labelled sets are among the first.
func incidentTables(ctx context.Context, s *Settings) error {
	all, err := Incidents()
	if err != nil {
		return err
	}
	halves, orders := &table{}, &table{}
	halves.add("", "Top-1", "Top-3", "Top-5", "even half", "odd half", "single cause, first set has one condition")
	var scores []incidentScore
	for _, e := range explainers() {
		answers, err := trials(ctx, s, "rs, "+e.name, len(all), func(ctx context.Context, k int) ([]Set, error) {
			return e.explain(ctx, &all[k])
		})
		if err != nil {
			return err
		}
		x := scoreIncidents(all, answers)
		halves.add(e.name, x.all[0].brief(), x.all[1].brief(), x.all[2].brief(), x.half[0].String(), x.half[1].String(), x.single.brief())
		scores = append(scores, x)
	}
	n := scores[0].order
	orders.add("Top-1 / 3 / 5, by order of the label", fmt.Sprintf("1 (n %d)", n[0][0].N), fmt.Sprintf("2 (n %d)", n[1][0].N),
		fmt.Sprintf("3 (n %d)", n[2][0].N), fmt.Sprintf("two labels (n %d)", n[3][0].N))
	for k, e := range explainers() {
		x := scores[k].order
		orders.add(e.name, x[0].String(), x[1].String(), x[2].String(), x[3].String())
	}
	s.heading("rs: incidents of a video service", fmt.Sprintf("n %d. Right at k: every labelled set is among the first k, or, if more sets than k are labelled, among as many. "+
		"The method was chosen on the even half.", len(all)))
	halves.print(s.Out)
	orders.print(s.Out)
	return s.studyTable(ctx, all)
}

// studyTable is what each choice in explaining by the change is worth.
func (s *Settings) studyTable(ctx context.Context, all []Incident) error {
	t := &table{}
	t.add("explained by the change", "Top-1 / 3 / 5", "even half", "odd half", "first set of one condition")
	studies := studies()
	answers, err := grid(ctx, s, "rs, choices", len(studies), len(all), func(_ context.Context, c, i int) ([]Set, error) {
		return studies[c].explain(&all[i]), nil
	})
	if err != nil {
		return err
	}
	for c, x := range studies {
		score := scoreIncidents(all, answers[c])
		t.add(x.name, score.all.String(), score.half[0].String(), score.half[1].String(), fmt.Sprintf("%.2f", score.single.Rate()))
	}
	s.heading("rs: what each choice is worth", "The method of the engine in a plain way, with one choice at a time made otherwise. It has no tests, so that what comes after the first set need not be what the engine lists.")
	t.print(s.Out)
	return nil
}
