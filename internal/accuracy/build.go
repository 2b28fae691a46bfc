package accuracy

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
)

//go:embed testdata/jhipster.zip
var jhipsterData []byte

// pure is the share of failed builds from which a set counts as failing for
// certain.
const pure = 0.95

// Builds are the outcomes of all configurations of JHipster 3.6.1.
type Builds struct {
	Rows   []Set // what each configuration decides
	Failed []bool
	// Named are the six interactions that the authors found.
	Named []Set
	has   map[condition.Condition][]bool
}

// ReadBuilds reads the jhipster data.
func ReadBuilds() (*Builds, error) {
	files, err := zip.NewReader(bytes.NewReader(jhipsterData), int64(len(jhipsterData)))
	if err != nil {
		return nil, fmt.Errorf("jhipster.zip: %w", err)
	}
	f, err := files.Open("configurations.csv")
	if err != nil {
		return nil, fmt.Errorf("jhipster.zip: %w", err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("configurations.csv: %w", err)
	}
	b := &Builds{has: make(map[condition.Condition][]bool)}
	header := rows[0]
	for n, row := range rows[1:] {
		var cs []condition.Condition
		failed := false
		for k, v := range row {
			switch {
			case header[k] == "Build":
				failed = v == "KO"
			case header[k] != "row" && v != "ND": // ND: the configuration does not decide it
				c := condition.Condition{Dimension: header[k], Value: v}
				cs = append(cs, c)
				if b.has[c] == nil {
					b.has[c] = make([]bool, len(rows)-1)
				}
				b.has[c][n] = true
			}
		}
		b.Rows, b.Failed = append(b.Rows, NewSet(cs...)), append(b.Failed, failed)
	}
	return b, b.readTruth(files)
}

func (b *Builds) readTruth(files fs.FS) error {
	text, err := fs.ReadFile(files, "ground_truth.json")
	if err != nil {
		return fmt.Errorf("jhipster.zip: %w", err)
	}
	var truth struct {
		Named []struct {
			Conj map[string]string
		}
	}
	if err := json.Unmarshal(text, &truth); err != nil {
		return fmt.Errorf("ground_truth.json: %w", err)
	}
	for _, x := range truth.Named {
		var cs []condition.Condition
		for a, v := range x.Conj {
			cs = append(cs, condition.Condition{Dimension: a, Value: v})
		}
		b.Named = append(b.Named, NewSet(cs...))
	}
	return nil
}

// holds reports whether configuration i has all of the set.
func (b *Builds) holds(i int, s Set) bool {
	for _, c := range s {
		if h := b.has[c]; h == nil || !h[i] {
			return false
		}
	}
	return true
}

// Purity is the share of failed builds among all configurations that have the
// set.
func (b *Builds) Purity(s Set) Share {
	var x Share
	for i, failed := range b.Failed {
		if b.holds(i, s) {
			x.Count(failed)
		}
	}
	return x
}

// minimal reports whether no proper subset is as pure.
func (b *Builds) minimal(s Set) bool {
	for mask := 1; mask < 1<<len(s)-1; mask++ {
		var part Set
		for i, c := range s {
			if mask>>i&1 == 1 {
				part = append(part, c)
			}
		}
		if b.Purity(part).Rate() >= pure {
			return false
		}
	}
	return true
}

// A sample of the configurations, as somebody would have who built so many.
type sample struct {
	rows   []Set
	failed []bool
}

// draw takes n configurations at random; with permuted, the outcomes are dealt
// out again among them.
func (b *Builds) draw(rng *rand.Rand, n int, permuted bool) sample {
	var s sample
	for _, i := range rng.Perm(len(b.Rows))[:n] {
		s.rows, s.failed = append(s.rows, b.Rows[i]), append(s.failed, b.Failed[i])
	}
	if permuted {
		rng.Shuffle(n, func(i, j int) { s.failed[i], s.failed[j] = s.failed[j], s.failed[i] })
	}
	return s
}

// table is the sample as the engine gets it.
func (s *sample) table() interaction.Table {
	d := condition.NewDictionary(0)
	t := interaction.Table{Rows: make([]interaction.Row, len(s.rows))}
	for i, set := range s.rows {
		r := &t.Rows[i]
		r.Total = 1
		if s.failed[i] {
			r.Failed = 1
		}
		for _, c := range set {
			id, _ := d.ID(c) // there is room for all
			r.Conditions = append(r.Conditions, id)
		}
		slices.Sort(r.Conditions)
	}
	t.Conditions = d.All()
	return t
}

// greedy learns rules one after the other, as sequential covering does: each
// takes the condition that makes it purest until no failure beside it is left
// or it has four, and puts aside what it covers.
func (s *sample) greedy() []Set {
	const most, least = 4, 5 // conditions of a rule, failures that it must cover
	left := make([]bool, len(s.rows))
	for i := range left {
		left[i] = true
	}
	var rules []Set
	for {
		var rule Set
		in := slices.Clone(left)
		for len(rule) < most {
			c, x := s.purest(in, least)
			before := s.share(in)
			if x.N == 0 || x.Rate() <= before.Rate() {
				break
			}
			rule = NewSet(append(rule, c)...)
			for i, set := range s.rows {
				in[i] = in[i] && set.Contains(Set{c})
			}
			if x.K == x.N {
				break
			}
		}
		covered := s.share(in)
		if len(rule) == 0 || covered.K < least || covered.Rate() < 0.5 {
			return rules
		}
		rules = append(rules, rule)
		for i := range left {
			left[i] = left[i] && !in[i]
		}
	}
}

// share is how many of the rows failed.
func (s *sample) share(in []bool) Share {
	var x Share
	for i, ok := range in {
		if ok {
			x.Count(s.failed[i])
		}
	}
	return x
}

// purest returns the condition that makes the rows purest, by Laplace's
// estimate, and leaves enough failures.
func (s *sample) purest(in []bool, least int) (condition.Condition, Share) {
	counts := make(map[condition.Condition]*Share)
	var order []condition.Condition
	for i, set := range s.rows {
		if !in[i] {
			continue
		}
		for _, c := range set {
			if counts[c] == nil {
				counts[c] = &Share{}
				order = append(order, c)
			}
			counts[c].Count(s.failed[i])
		}
	}
	slices.SortFunc(order, condition.Compare)
	var best condition.Condition
	var most Share
	for _, c := range order {
		x := *counts[c]
		if x.K >= least && float64(x.K+1)/float64(x.N+2) > float64(most.K+1)/float64(most.N+2) {
			best, most = c, x
		}
	}
	return best, most
}
