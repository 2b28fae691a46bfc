package phase

import (
	"fmt"
	"net/http"
	"net/url"

	"example.test/eddy/phase/wire"
)

// listen follows the mediator's news until the watch ends. News only shortens
// the way: what is lost here arrives with the next confirm.
func (w *Watch) listen() {
	last := ""
	for at := 0; w.ctx.Err() == nil; at++ {
		base := w.client.config.URLs[(int(w.client.turn.Load())+at)%len(w.client.config.URLs)]
		if err := w.follow(base, &last); err != nil && w.ctx.Err() == nil {
			w.client.config.Log.DebugContext(w.ctx, "phase news ended", "error", err)
		}
		sleep(w.ctx, w.contract.Propagation.ConfirmEvery)
	}
}

// follow reads one stream to its end. last is the id of the last event.
func (w *Watch) follow(base string, last *string) error {
	query := url.Values{"contract": {w.name}, "select": {w.selector}}
	r, err := w.client.request(w.ctx, http.MethodGet, base+wire.PathWatch+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		r.Header.Set("Last-Event-ID", *last)
	}
	response, err := w.client.config.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", base, response.Status)
	}
	return wire.ReadEvents(response.Body, func(id string, r wire.Record) {
		*last = id
		w.pushed(r)
	})
}
