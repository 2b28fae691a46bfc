package fence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Header carries the token of a write: "Eddy-Fence: s=SUBJECT;t=302". The
// subject is encoded as in the query of a URL.
const Header = "Eddy-Fence"

// maxHeader bounds what is read of it.
const maxHeader = 1 << 10

// SetHeader puts the token on a request.
func SetHeader(h http.Header, subject string, t Token) {
	h.Set(Header, "s="+url.QueryEscape(subject)+";t="+strconv.FormatUint(uint64(t), 10))
}

// ParseHeader reads the value of Header. The error is ErrUnfenced.
func ParseHeader(value string) (subject string, t Token, err error) {
	refuse := func(why string) (string, Token, error) {
		return "", 0, fmt.Errorf("%w: header %s: %s: want s=SUBJECT;t=NUMBER", ErrUnfenced, Header, why)
	}
	if len(value) > maxHeader {
		return refuse(fmt.Sprintf("%d bytes", len(value)))
	}
	for field := range strings.SplitSeq(value, ";") {
		key, v, ok := strings.Cut(strings.TrimSpace(field), "=")
		switch {
		case !ok:
			return refuse(fmt.Sprintf("%q", value))
		case key == "s":
			if subject, err = url.QueryUnescape(v); err != nil {
				return refuse(fmt.Sprintf("subject %q", v))
			}
		case key == "t":
			n, err := strconv.ParseUint(v, 10, 63)
			if err != nil || n == 0 {
				return refuse(fmt.Sprintf("token %q", v))
			}
			t = Token(n)
		}
	}
	if subject == "" || t == 0 {
		return refuse(fmt.Sprintf("%q", value))
	}
	return subject, t, nil
}

// HTTP lets a request through to next if it carries a token for the subject
// that is not stale, and keeps larger tokens out until next has returned.
// Without one the answer is 428, with one of another subject 400, with a stale
// one 409 and {"max": largest}. GET, HEAD and OPTIONS do not write and are let
// through.
func HTTP(g Guard, subject string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
			next.ServeHTTP(w, r)
			return
		}
		named, t, err := ParseHeader(r.Header.Get(Header))
		if err != nil {
			note(r.Context(), subject, 0, err)
			http.Error(w, err.Error(), http.StatusPreconditionRequired)
			return
		}
		if named != subject {
			http.Error(w, fmt.Sprintf("the token is for %q; this resource is fenced by %q", named, subject), http.StatusBadRequest)
			return
		}
		answered := false
		err = g.Do(r.Context(), subject, t, func(ctx context.Context) error {
			answered = true
			next.ServeHTTP(w, r.WithContext(ctx))
			return nil
		})
		if err != nil && !answered {
			refuse(w, err)
		}
	})
}

// refuse writes why a write was not let through.
func refuse(w http.ResponseWriter, err error) {
	var stale *StaleError
	if !errors.As(err, &stale) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	body, err := json.Marshal(struct {
		Error string `json:"error"`
		Max   Token  `json:"max,omitempty"`
	}{stale.Error(), stale.Max})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	_, _ = w.Write(append(body, '\n')) // a client that left has nobody to tell
}
