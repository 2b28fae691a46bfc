package accuracy

import (
	"context"
	"fmt"
	"math/rand/v2"

	"example.test/eddy/internal/interaction"
)

// A learner names sets of conditions under which builds fail.
type learner struct {
	name  string
	learn func(ctx context.Context, s *sample) ([]Set, error)
}

func learners() []learner {
	return []learner{
		{"eddy", func(ctx context.Context, s *sample) ([]Set, error) {
			r, err := interaction.Mine(ctx, s.table(), interaction.Options{MaxOrder: order, Location: []string{}, Top: 10})
			return answerOf(r), err
		}},
		{"greedy rules", func(_ context.Context, s *sample) ([]Set, error) { return s.greedy(), nil }},
	}
}

// answerOf lists the sets of the findings.
func answerOf(r interaction.Result) []Set {
	var sets []Set
	for _, f := range r.Findings {
		sets = append(sets, NewSet(f.Conditions...))
	}
	return sets
}

// A buildScore sums up what was named from samples.
type buildScore struct {
	pure, minimal, accuracy Share
	named, reported         int
}

func (x *buildScore) plus(o buildScore) {
	x.pure.plus(o.pure)
	x.minimal.plus(o.minimal)
	x.accuracy.plus(o.accuracy)
	x.named, x.reported = x.named+o.named, x.reported+o.reported
}

// score judges sets on all configurations.
func (b *Builds) score(sets []Set) buildScore {
	x := buildScore{reported: len(sets)}
	for _, s := range sets {
		x.pure.Count(b.Purity(s).Rate() >= pure)
		x.minimal.Count(b.minimal(s))
	}
	for _, n := range b.Named {
		for _, s := range sets {
			if s.Contains(n) {
				x.named++
				break
			}
		}
	}
	for i, failed := range b.Failed {
		any := false
		for _, s := range sets {
			any = any || b.holds(i, s)
		}
		x.accuracy.Count(any == failed)
	}
	return x
}

// buildTables are what is learnt from samples of the jhipster table.
func buildTables(ctx context.Context, s *Settings) error {
	b, err := ReadBuilds()
	if err != nil {
		return err
	}
	t := &table{}
	t.add("configurations", "from", "sets a draw", "pure", "minimal", "named of 6", "accuracy", "permuted: nothing named")
	type outcome struct {
		score   buildScore
		nothing bool
	}
	sizes, learners := []int{100, 250, 500, 1000}, learners()
	out, err := grid(ctx, s, "jhipster", len(sizes)*len(learners), s.Draws, func(ctx context.Context, c, i int) (outcome, error) {
		n, l := sizes[c/len(learners)], learners[c%len(learners)]
		x := b.draw(rand.New(rand.NewPCG(s.Seed(i), uint64(n))), n, false)
		sets, err := l.learn(ctx, &x)
		if err != nil {
			return outcome{}, err
		}
		x = b.draw(rand.New(rand.NewPCG(s.Seed(i), uint64(n)+1)), n, true)
		none, err := l.learn(ctx, &x)
		return outcome{b.score(sets), len(none) == 0}, err
	})
	if err != nil {
		return err
	}
	s.heading("jhipster: failing builds of 26,256 configurations",
		fmt.Sprintf("From so many configurations drawn at random, %d times; judged on all. Pure: at least 95 %% of the configurations that have the set fail. "+
			"Minimal: no proper subset is as pure. Named: of the six interactions that the authors found, exactly or as a refinement.", s.Draws))
	for c := range out {
		var all buildScore
		var nothing Share
		for _, o := range out[c] {
			all.plus(o.score)
			nothing.Count(o.nothing)
		}
		draws := float64(s.Draws)
		t.add(fmt.Sprint(sizes[c/len(learners)]), learners[c%len(learners)].name, fmt.Sprintf("%.1f", float64(all.reported)/draws),
			all.pure.String(), all.minimal.String(), fmt.Sprintf("%.1f", float64(all.named)/draws),
			fmt.Sprintf("%.3f", all.accuracy.Rate()), nothing.brief())
	}
	t.print(s.Out)
	return nil
}
