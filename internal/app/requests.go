package app

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"example.test/eddy/internal/request"
)

// Requests assembles what is recorded in the files into requests, on the clock
// of the records. It ends with the first error, which names the file and the
// line.
func (r Replay) Requests(ctx context.Context) iter.Seq2[request.Request, error] {
	return func(yield func(request.Request, error) bool) {
		if err := r.Analysis.Validate(); err != nil {
			yield(request.Request{}, fmt.Errorf("options: %w", err))
			return
		}
		assembler := request.New(r.Analysis.Request)
		pass := func(list []request.Request) bool {
			for i := range list {
				if !yield(list[i], nil) {
					return false
				}
			}
			return true
		}
		var last record
		for batch, err := range r.records() {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(request.Request{}, err)
				return
			}
			if r.Points != nil && len(batch.Points) > 0 {
				r.Points(batch.Points)
			}
			if len(batch.Spans) == 0 {
				continue
			}
			if batch.to.After(last.to) {
				last = batch
			}
			assembler.Add(last.to, batch.Spans)
			if !pass(assembler.Flush(last.to)) {
				return
			}
		}
		if last.to.IsZero() {
			yield(request.Request{}, fmt.Errorf("no spans in %s", strings.Join(r.Files, ", ")))
			return
		}
		pass(assembler.Drain(last.to))
	}
}
