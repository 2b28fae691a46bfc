package accuracy

import (
	"context"
	"fmt"
)

// weightTable is how often a planted set is found where successes are sampled.
func weightTable(ctx context.Context, s *Settings) error {
	var cells []trial
	for _, k := range []int{1, 2, 3} {
		for _, keep := range []int{1, 10, 100, 1000} {
			cells = append(cells, trial{Plan{Requests: s.Rows, Base: base, Orders: []int{k}, Risk: 0.1, KeepOne: keep}, options()})
		}
	}
	out, err := planted(ctx, s, "weights", s.Worlds, cells)
	if err != nil {
		return err
	}
	s.heading("Successes sampled at the tail",
		fmt.Sprintf("The same %d requests each time, of which all failures and one success in so many are kept, with its weight; risk inside 10 %%, base %s; n %d worlds a row.",
			s.Rows, percent(base), s.Worlds))
	t := &table{}
	t.add("order", "successes kept", "first", "first three", "type")
	for i, x := range out {
		p := cells[i].plan
		t.add(fmt.Sprint(p.Orders[0]), fmt.Sprintf("1 in %d", p.KeepOne), x.first.brief(), x.top3.brief(), x.typed.String())
	}
	t.print(s.Out)
	return nil
}
