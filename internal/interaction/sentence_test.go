package interaction_test

import (
	"encoding/json"
	"testing"

	"example.test/eddy/internal/condition"
	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/request"
)

func TestSentenceReadsAsAPersonWouldSayIt(t *testing.T) {
	cart := condition.Condition{Entity: "cart", Dimension: "service.version", Value: "2.4.0"}
	pricing := condition.Condition{Entity: "pricing", Dimension: "service.version", Value: "2.0.0"}
	rounding := condition.Condition{Dimension: "flag rounding", Value: "banker"}
	cdn := condition.Condition{Dimension: "cdn", Value: "3"}
	cell := func(n int, risk, low, high float64, holds ...string) interaction.Cell {
		return interaction.Cell{Holds: holds, Total: n, Failed: int(float64(n)*risk + 0.5), Risk: risk, Low: low, High: high}
	}
	for _, c := range []struct {
		name, subject, want string
		outcome             request.Outcome
		finding             interaction.Finding
	}{
		{
			name: "pair", subject: "Checkout", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Interact, Conditions: []condition.Condition{cart, rounding},
				Cells: []interaction.Cell{
					cell(900, 0.742, 0.71, 0.77, "a", "b"), cell(880, 0.002, 0, 0.01, "a"), cell(700, 0.003, 0, 0.01, "b"), cell(9000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout fails for 74% of requests when cart 2.4.0 meets flag rounding=banker. Neither alone does (0.2%, 0.3%).",
		},
		{
			name: "triple", subject: "Checkout", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Interact, Conditions: []condition.Condition{cart, pricing, rounding},
				Cells: []interaction.Cell{
					cell(1204, 0.61, 0.58, 0.64, "a", "b", "c"),
					cell(1000, 0.004, 0, 0.01, "a", "b"), cell(1000, 0.001, 0, 0.01, "a", "c"), cell(0, 0, 0, 1, "b", "c"),
					cell(100, 0.2, 0, 0.5, "a"), cell(90000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout fails for 61% (58% to 64%, n=1,204) of requests when cart 2.4.0, pricing 2.0.0 and flag rounding=banker are in force together. With any one of them missing, at most 0.4% do.",
		},
		{
			name: "certain", subject: "Checkout and cart", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Interact, Conditions: []condition.Condition{cart, pricing, rounding},
				Cells: []interaction.Cell{
					cell(1204, 0.61, 0.58, 0.64, "a", "b", "c"), cell(1000, 0, 0, 0.01, "a", "b"), cell(500, 0, 0, 0.01, "a", "c"),
					cell(2000, 0, 0, 0.01, "b", "c"), cell(90000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout and cart fail for 61% (58% to 64%, n=1,204) of requests when cart 2.4.0, pricing 2.0.0 and flag rounding=banker are in force together. With any one of them missing, none of 3,500 do.",
		},
		{
			name: "single", subject: "Checkout", outcome: request.Slow,
			finding: interaction.Finding{
				Verdict: interaction.SingleCause, Conditions: []condition.Condition{cart},
				Cells: []interaction.Cell{cell(12345, 0.402, 0.39, 0.41, "a"), cell(100000, 0.0121, 0.01, 0.02)},
			},
			want: "Checkout is slow for 40% (39% to 41%, n=12,345) of requests that meet cart 2.4.0. Of the others 1.2% are.",
		},
		{
			name: "column", subject: "", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.SingleCause, Conditions: []condition.Condition{cdn},
				Cells: []interaction.Cell{cell(500, 1, 0.99, 1, "a"), cell(100000, 0.00004, 0, 0.0001)},
			},
			want: "100% (99% to 100%, n=500) of rows with cdn=3 fail. Of the others under 0.01% do.",
		},
		{
			name: "joint", subject: "Checkout", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Joint, Conditions: []condition.Condition{cart, rounding},
				Cells: []interaction.Cell{
					cell(900, 0.742, 0.71, 0.77, "a", "b"), cell(880, 0.4, 0, 0.01, "a"), cell(700, 0.301, 0, 0.01, "b"), cell(9000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout fails for 74% of requests when cart 2.4.0 meets flag rounding=banker. With only one of them it is 40% and 30%.",
		},
		{
			name: "pair_of_which_one_does_most", subject: "", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Interact, Grade: "only together", Conditions: []condition.Condition{cdn, rounding},
				Cells: []interaction.Cell{
					cell(900, 1, 0.99, 1, "a", "b"), cell(880, 0.17, 0, 0.01, "a"), cell(700, 0.91, 0, 0.01, "b"), cell(9000, 0.001, 0, 0.002),
				},
			},
			want: "100% of rows fail when cdn=3 meets flag rounding=banker. With only one of them it is 17% and 91%.",
		},
		{
			name: "pair_of_which_one_never_came_alone", subject: "Checkout", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Joint, Conditions: []condition.Condition{cart, rounding},
				Cells: []interaction.Cell{
					cell(900, 0.742, 0.71, 0.77, "a", "b"), cell(880, 0.002, 0, 0.01, "a"), cell(0, 0, 0, 1, "b"), cell(9000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout fails for 74% of requests when cart 2.4.0 meets flag rounding=banker. With only cart 2.4.0 it is 0.2%; what flag rounding=banker does alone is not known.",
		},
		{
			name: "pair_that_never_parted", subject: "Checkout", outcome: request.Slow,
			finding: interaction.Finding{
				Verdict: interaction.Joint, Conditions: []condition.Condition{cart, rounding},
				Cells: []interaction.Cell{
					cell(900, 0.742, 0.71, 0.77, "a", "b"), cell(0, 0, 0, 1, "a"), cell(0, 0, 0, 1, "b"), cell(9000, 0.001, 0, 0.002),
				},
			},
			want: "Checkout is slow for 74% of requests when cart 2.4.0 meets flag rounding=banker. What either does alone is not known.",
		},
		{
			name: "several_entries_and_no_failure_elsewhere", subject: "GET /cart and POST /checkout", outcome: request.Failed,
			finding: interaction.Finding{
				Verdict: interaction.Interact, Conditions: []condition.Condition{cart, pricing, rounding},
				Cells: []interaction.Cell{
					cell(42, 1, 0.92, 1, "a", "b", "c"), cell(100, 0, 0, 0.01, "a", "b"), cell(150, 0, 0, 0.01, "a", "c"), cell(1000, 0, 0, 0.01, "b", "c"),
				},
			},
			want: "GET /cart and POST /checkout fail for 100% (92% to 100%, n=42) of requests when cart 2.4.0, pricing 2.0.0 and flag rounding=banker are in force together. With any one of them missing, none of 1,250 do.",
		},
		{
			name: "nothing", subject: "Checkout", outcome: request.Failed,
			finding: interaction.Finding{Verdict: interaction.NoExplanation},
			want:    "No combination of the conditions on record explains Checkout's failures.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := interaction.Sentence(c.finding, c.subject, c.outcome); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAliasKeepsItsPartsInJSON(t *testing.T) {
	for want, a := range map[string]interaction.AliasOf{
		`{"name":"route","value":"a","of":"cdn=3","discordant":2}`: {
			Condition: condition.Condition{Dimension: "route", Value: "a"},
			Of:        condition.Condition{Dimension: "cdn", Value: "3"}, Discordant: 2,
		},
		`{"name":"cart service.version","value":"2","entity":"cart","dimension":"service.version","of":"pod phase=DRAIN",` +
			`"discordant":0,"of_condition":{"name":"pod phase","value":"DRAIN","entity":"pod","dimension":"phase"}}`: {
			Condition: condition.Condition{Entity: "cart", Dimension: "service.version", Value: "2"},
			Of:        condition.Condition{Entity: "pod", Dimension: "phase", Value: "DRAIN"},
		},
	} {
		b, err := json.Marshal(a)
		if err != nil || string(b) != want {
			t.Errorf("got %s, %v, want %s", b, err, want)
		}
		var back interaction.AliasOf
		if err := json.Unmarshal(b, &back); err != nil || back != a {
			t.Errorf("read back %+v, %v, want %+v", back, err, a)
		}
	}
}

func TestEachVerdictSaysWhatItIsAbout(t *testing.T) {
	for verdict, want := range map[interaction.Verdict]string{
		interaction.SingleCause:   "One condition explains the slow rows by itself.",
		interaction.Interact:      "The conditions explain the slow rows together, and each of them is needed.",
		interaction.Joint:         "Each of the conditions is needed, but together they are not shown to do more than the sum of the parts.",
		interaction.Proxy:         "What is named goes with what does harm, or follows from it, and is not shown to do any itself.",
		interaction.Alias:         "The condition cannot be told apart from another one in this data.",
		interaction.Coincident:    "The state was in force at the time of the slow rows, and nothing shows that it did more.",
		interaction.NoExplanation: "No set of the conditions on record explains these slow rows.",
		"":                        "",
	} {
		if got := verdict.Says(request.Slow, "row"); got != want {
			t.Errorf("%s says %q, want %q", verdict, got, want)
		}
	}
}
