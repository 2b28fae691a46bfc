package duckdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"example.test/eddy/internal/interaction"
	"example.test/eddy/internal/wording"
)

// Explain reads the files of src, as ReadTable does, and finds the conditions
// that explain the failures in them. The bucket of o is that of the reading, its
// time of change and its location are those of src.
//
// A table within src.MaxRows is mined whole. Of a larger one a sample is, and
// all rows are then counted once more for what was found there: every number of
// the result is of all rows. So three queries go over all of a very large file:
// how many failed at each time, the sample, and the count of what was found; and,
// for slow rows, two that find how long rows took. One of up to a hundred times
// MaxRows is also asked how often each value of each column occurs, which is
// estimated in the sample otherwise.
//
// A range of numbers that is found is sharpened: of the bounds that the column
// alone decides, about one at each hundredth of its values, those are taken that
// part the failures from the rest best. All of them count as looked at.
func Explain(ctx context.Context, src TableSource, o interaction.Options) (interaction.Result, TableReading, error) {
	return explainHolding(ctx, src, o, mostHeld)
}

// explainHolding is Explain, with lines held in up to so many bytes.
func explainHolding(ctx context.Context, src TableSource, o interaction.Options, mostHeld int) (interaction.Result, TableReading, error) {
	var result interaction.Result
	var reading TableReading
	err := withTable(ctx, src, mostHeld, func(r *tableReader) error {
		var err error
		if reading, err = r.read(ctx); err != nil {
			return err
		}
		o.Bucket, o.Since, o.Location = reading.Bucket, src.Since, []string{}
		if src.Entry != "" {
			o.Location = []string{src.Entry}
		}
		result, err = r.explain(ctx, &reading, o)
		return err
	})
	return result, reading, err
}

// explain mines the rows that were read, sharpens the ranges found, and counts
// the rest of the rows.
func (r *tableReader) explain(ctx context.Context, reading *TableReading, o interaction.Options) (interaction.Result, error) {
	r.say("searching " + wording.Count(int64(len(reading.Table.Rows))) + " kinds of rows")
	found, err := mine(ctx, reading.Table, o)
	if err != nil {
		return found, err
	}
	if before := r.meanings; r.sharpen(reading.Table, found) {
		table := r.unpacked(reading.Bucket)
		table.Unlisted = r.unlisted(r.meanings)
		sharper, err := mine(ctx, table, o)
		if err != nil {
			return found, err
		}
		// Sharper bounds may not be worth the choice among so many.
		if len(sharper.Findings) > 0 && sharper.Explained >= 0.95*found.Explained {
			found, reading.Table = sharper, table
		} else {
			r.meanings = before
		}
	}
	if !reading.Sampled {
		return found, nil
	}
	r.say("counting what was found in " + wording.Count(r.total.lines) + " rows")
	c := r.chosen(reading, found)
	if c.dropped > 0 {
		fewer := "ask for fewer with --top or --max-order"
		if r.entry() != nil {
			fewer += ", or name an --entry that has fewer values"
		}
		reading.Notes = append(reading.Notes, fmt.Sprintf("%s more in the sample, but too many kinds of rows to count: %s.",
			wording.Plural(int64(c.dropped), "finding"), fewer))
	}
	table, err := r.recount(ctx, reading.Table, c, reading.Bucket)
	if err != nil {
		return found, err
	}
	table.Unlisted = r.unlisted(c.means())
	counted, err := mine(ctx, table, o)
	if err == nil && found.Cut && !counted.Cut {
		counted.Cut = true
		counted.Missing = append(counted.Missing, "The search of the sample was cut short: a smaller order or fewer columns would let it finish.")
	}
	return counted, err
}

func mine(ctx context.Context, t interaction.Table, o interaction.Options) (interaction.Result, error) {
	result, err := interaction.Mine(ctx, t, o)
	if err != nil {
		return result, fmt.Errorf("mine: %w", err)
	}
	return result, nil
}

// unlisted are the conditions that could have been found but are not in a table
// whose conditions have these meanings: those set aside after the first search,
// and all ranges that a range could have been sharpened to.
func (r *tableReader) unlisted(listed []meaning) []interaction.Unlisted {
	in := make([][]meaning, len(r.columns))
	for _, m := range listed {
		in[m.column] = append(in[m.column], m)
	}
	var list []interaction.Unlisted
	for _, i := range r.offered() {
		c := &r.columns[i]
		if c.entry {
			continue // where a row came in is no cause
		}
		c.possible(func(m meaning, total int64) {
			m.column = i
			if !slices.Contains(in[i], m) {
				list = append(list, interaction.Unlisted{Name: c.name, Total: int(total)})
			}
		})
	}
	return list
}

// buckets is about how many buckets of time the table has.
func (r *tableReader) buckets(bucket time.Duration) int {
	if bucket <= 0 {
		return 1
	}
	return int((r.total.last-r.total.first)/max(1, bucket.Microseconds())) + 1
}
