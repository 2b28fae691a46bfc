package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy allows what this server itself serves, and nothing inline: text that
// came in with telemetry and found a hole in a template could still not run.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// protect sets the headers that every response has, and refuses requests for a
// host that is not ours.
func (s *Server) protect(next http.Handler) http.Handler {
	refused := s.answer(data, "/", func(_ http.ResponseWriter, r *http.Request) error {
		return &problem{
			http.StatusMisdirectedRequest, "unknown_host",
			fmt.Sprintf("host %q: not a name of this server", shorten(r.Host, 120)),
			"ask by IP address or localhost, or add the name to the configured hosts",
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if !s.ours(r.Host) {
			refused.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether host is a name of this server: any IP address, since an
// address cannot be rebound, localhost, or one of the configured names.
func (s *Server) ours(host string) bool {
	if !s.config.Access.Open() {
		return true
	}
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	return slices.ContainsFunc(s.config.Hosts, func(h string) bool {
		return h == "*" || strings.EqualFold(h, name)
	})
}
