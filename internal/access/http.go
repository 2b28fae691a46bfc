package access

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

type principalKey struct{}

// Require lets only those requests through to next whose token may act in
// role. Others are answered as Refuse does. The handler
// finds the sender with From.
func (l *List) Require(role Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := l.Authorize(r.Header.Get("Authorization"), role)
		if err != nil {
			Refuse(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(With(r.Context(), who)))
	})
}

// With returns a context that carries who.
func With(ctx context.Context, who Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, who)
}

// From returns the principal that Require put into the context of a request,
// and whether there is one.
func From(ctx context.Context) (Principal, bool) {
	who, ok := ctx.Value(principalKey{}).(Principal)
	return who, ok
}

// Refuse answers an error of Authorize: 403 for ErrForbidden, else 401 with the
// challenge that HTTP asks for, and {"error": {"status", "code", "message",
// "hint"}}.
func Refuse(w http.ResponseWriter, err error) {
	status, code, hint := http.StatusUnauthorized, "unauthorized", "send a token that this server was given"
	if errors.Is(err, ErrForbidden) {
		status, code, hint = http.StatusForbidden, "forbidden", "use a token with the role that is needed"
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer realm="eddy"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The sender may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"status": status, "code": code, "message": err.Error(), "hint": hint,
	}})
}
