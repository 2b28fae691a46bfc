package phase

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"example.test/eddy/phase/contract"
)

// ErrRefused says that the actual phase denies an action. Nothing was done, and
// it may be tried elsewhere.
var ErrRefused = errors.New("refused by the phase")

// Enter admits one action or refuses it with ErrRefused, before any side effect.
// b is what the caller said it believes, nil if it said nothing. Whoever was
// admitted calls done, once; until then it is in flight. The verdict is counted
// and put on the span of ctx.
func (p *Producer) Enter(ctx context.Context, action string, b *Belief) (done func(), v Verdict, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	actual := p.view()
	v = p.judge(action, b, actual)
	p.client.signals.interaction(ctx, p.contract(), action, b, actual, v)
	if p.contract().Permits(actual.Phase, action) == contract.Deny {
		return nil, v, ErrRefused
	}
	if p.inflight == 0 {
		p.quiet = make(chan struct{})
	}
	p.inflight++
	return sync.OnceFunc(p.leave), v, nil
}

// leave ends what Enter admitted.
func (p *Producer) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inflight--; p.inflight == 0 {
		close(p.quiet)
	}
}

// Quiesced is closed while nothing is in flight. Ask for it anew each time.
func (p *Producer) Quiesced() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.quiet
}

// Inflight is how many actions have been admitted and not ended.
func (p *Producer) Inflight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inflight
}

// judge returns the verdict on an action.
func (p *Producer) judge(action string, b *Belief, actual View) Verdict {
	if b == nil {
		if p.contract().Permits(actual.Phase, action) == contract.Deny {
			return contract.VerdictRefused
		}
		return contract.VerdictUnannotated
	}
	return p.contract().Judge(contract.Interaction{
		Role: b.Role, Action: action, Actual: actual.Phase, Since: actual.Age, Believed: b.Phase, Known: b.Phase != "",
	})
}

// HTTP admits requests to next by their action, and refuses them with 503 and
// Retry-After while the phase denies it. Each response says the actual phase.
// While the phase gives only grace, responses close their connection, so that
// callers look for another instance without meeting a closed one.
//
// action names what a request does; "" lets it pass unjudged, as a health check.
// If it is nil, a request does what the caller says that it does, or else the
// contract's only action, and is refused if that is not known.
func (p *Producer) HTTP(action func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := p.Belief(r.Header.Get(HeaderBelief))
		name := p.action(action, r, b)
		if name == "" && action != nil {
			next.ServeHTTP(w, r)
			return
		}
		done, _, err := p.Enter(r.Context(), name, b)
		now := p.Actual()
		w.Header().Set(HeaderActual, now.Header())
		if err != nil {
			w.Header().Set("Retry-After", "0")
			w.Header().Set("Connection", "close")
			http.Error(w, "phase "+string(now.Phase)+" refuses "+name, http.StatusServiceUnavailable)
			return
		}
		defer done()
		if p.contract().Permits(now.Phase, name) != contract.Allow {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// action is what a request does.
func (p *Producer) action(f func(*http.Request) string, r *http.Request, b *Belief) string {
	if f != nil {
		return f(r)
	}
	if b != nil {
		return b.Action
	}
	if names := p.contract().ActionNames(); len(names) == 1 {
		return names[0]
	}
	return ""
}
