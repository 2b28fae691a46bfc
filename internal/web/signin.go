package web

import (
	"net/http"
	"net/url"
	"strings"

	"example.test/eddy/internal/access"
)

// tokenCookie carries a browser's token: a person cannot add a header to a
// link that is clicked.
const tokenCookie = "eddy_token"

// signinDays is how long a browser stays signed in.
const signinDays = 30

// require lets only those through to next who may act in role.
func (s *Server) require(role access.Role, next handler) handler {
	if role == "" {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		credentials := r.Header.Get("Authorization")
		if c, err := r.Cookie(tokenCookie); err == nil && credentials == "" {
			credentials = "Bearer " + c.Value
		}
		who, err := s.config.Access.Authorize(credentials, role)
		if err != nil {
			return err
		}
		return next(w, r.WithContext(access.With(r.Context(), who)))
	}
}

// signinView is what the sign-in page shows.
type signinView struct {
	Title, Wrong, Next string
}

func (s *Server) signinPage(w http.ResponseWriter, r *http.Request) error {
	return s.render(w, r, http.StatusOK, "signin", signinView{Title: "Sign in", Next: local(r.URL.Query().Get("next"))})
}

// askToken shows the sign-in page in place of a page that needs a token.
func (s *Server) askToken(w http.ResponseWriter, r *http.Request, p *problem) bool {
	view := signinView{Title: "Sign in", Next: local(r.URL.RequestURI())}
	if _, err := r.Cookie(tokenCookie); err == nil {
		view.Wrong = p.Message
	}
	return s.render(w, r, http.StatusUnauthorized, "signin", view) == nil
}

// signin takes the token of the form and keeps it in the browser.
func (s *Server) signin(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if err := r.ParseForm(); err != nil {
		return &problem{http.StatusBadRequest, "bad_form", "sign-in form: " + err.Error(), "send the form of /signin"}
	}
	token, next := strings.TrimSpace(r.PostForm.Get("token")), local(r.PostForm.Get("next"))
	if _, err := s.config.Access.Authorize("Bearer "+token, access.Viewer); err != nil {
		return s.render(w, r, http.StatusUnauthorized, "signin", signinView{Title: "Sign in", Wrong: err.Error(), Next: next})
	}
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: token, Path: "/", MaxAge: signinDays * 24 * 3600,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// local returns where to go after signing in: only ever a path of this server.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n") || u.Path == "/signin" {
		return "/"
	}
	return u.RequestURI()
}
