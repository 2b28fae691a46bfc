package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"example.test/eddy/internal/web"
)

func TestEveryResponseForbidsWhatIsNotOurs(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for _, target := range []string{"/", "/api/v1/incidents", "/static/eddy.js", "/nowhere", "/api/v1/nowhere"} {
		w := ask(t, h, "GET", target, nil)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q, want one that allows only our own files", target, policy)
		}
		for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", target, key, got, want)
			}
		}
	}
}

func TestOnlyOurOwnNamesAreAnswered(t *testing.T) {
	c := shopConfig(t)
	c.Hosts = []string{"eddy.example"}
	h := serve(t, c).Handler()
	for host, want := range map[string]int{
		"127.0.0.1:7080": 200, "[::1]:7080": 200, "localhost": 200, "LOCALHOST:7080": 200, "a.localhost:1": 200,
		"10.1.2.3": 200, "eddy.example:7080": 200, "Eddy.Example": 200,
		"evil.example": 421, "evil.example:7080": 421, "localhost.evil.example": 421, "": 421, "127.0.0.1.nip.example": 421,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/incidents", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: got %d, want %d", host, w.Code, want)
		}
	}
}

func TestOtherSitesCannotChangeState(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for _, c := range []struct {
		header, value string
		want          int
	}{
		{"Sec-Fetch-Site", "cross-site", 403},
		{"Sec-Fetch-Site", "same-site", 403},
		{"Origin", "https://evil.example", 403},
		{"Origin", "http://127.0.0.1:7080", 200},
		{"Sec-Fetch-Site", "same-origin", 200},
		{"User-Agent", "curl/8", 200},
	} {
		w := ask(t, h, "POST", "/api/v1/changes", strings.NewReader(`{"kind":"flag","dimension":"x","value":"y"}`), c.header, c.value)
		if w.Code != c.want {
			t.Errorf("%s: %s: got %d, want %d", c.header, c.value, w.Code, c.want)
		}
	}
}

func TestTokensDecideWhoMayDoWhat(t *testing.T) {
	c := shopConfig(t)
	c.Access = tokens(t)
	h := serve(t, c).Handler()
	for _, c := range []struct {
		method, target, token string
		want                  int
	}{
		{"GET", "/api/v1/incidents", "", 401},
		{"GET", "/api/v1/incidents", "wrong-token-of-the-tests", 401},
		{"GET", "/api/v1/incidents", "viewer-token-of-the-tests", 200},
		{"GET", "/api/v1/incidents", "ingest-token-of-the-tests", 403},
		{"POST", "/api/v1/changes", "viewer-token-of-the-tests", 403},
		{"POST", "/api/v1/changes", "ingest-token-of-the-tests", 200},
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"GET", "/metrics", "", 401},
		{"GET", "/static/eddy.css", "", 200},
	} {
		w := ask(t, h, c.method, c.target, strings.NewReader(`{"kind":"flag","dimension":"x","value":"y"}`), "Authorization", "Bearer "+c.token)
		if w.Code != c.want {
			t.Errorf("%s %s with %q: got %d, want %d", c.method, c.target, c.token, w.Code, c.want)
		}
	}
}

func TestTokensStandInForNames(t *testing.T) {
	c := shopConfig(t)
	c.Access = tokens(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/incidents", nil)
	r.Host = "any.example"
	w := httptest.NewRecorder()
	serve(t, c).Handler().ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("another name without a token: got %d, want 401", w.Code)
	}
}

func TestABrowserSignsInOnceAndComesBackToItsPage(t *testing.T) {
	c := shopConfig(t)
	c.Access = tokens(t)
	h := serve(t, c).Handler()
	page := open(t, h, "/incidents/2026-11-21-1?x=1", 401)
	var next string
	for _, input := range page.find("input", "") {
		if input.attr("name") == "next" {
			next = input.attr("value")
		}
	}
	if next != "/incidents/2026-11-21-1?x=1" {
		t.Errorf("the form leads on to %q, want the page that was asked for", next)
	}
	w := ask(t, h, "POST", "/signin", strings.NewReader("token=viewer-token-of-the-tests&next="+next), "Content-Type", "application/x-www-form-urlencoded")
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatalf("signing in: got %d and cookies %v, want 303 and one that scripts and other sites cannot use", w.Code, cookies)
	}
	if again := ask(t, h, "GET", w.Header().Get("Location"), nil, "Cookie", cookies[0].String()); again.Code != http.StatusOK {
		t.Errorf("the page after signing in: got %d, want 200", again.Code)
	}
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	c := shopConfig(t)
	c.Access = tokens(t)
	h := serve(t, c).Handler()
	for _, next := range []string{"https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/signin", "%2F%2Fevil.example"} {
		body := strings.NewReader("token=viewer-token-of-the-tests&next=" + next)
		w := ask(t, h, "POST", "/signin", body, "Content-Type", "application/x-www-form-urlencoded")
		if got := w.Header().Get("Location"); got != "/" {
			t.Errorf("next %q leads to %q, want /", next, got)
		}
	}
}

func TestAssetsAreKeptByTheirContent(t *testing.T) {
	h := serve(t, shopConfig(t)).Handler()
	for _, link := range open(t, h, "/", 200).find("link", "") {
		w := ask(t, h, "GET", link.attr("href"), nil)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: got %d, Cache-Control %q, want 200 and immutable", link.attr("href"), w.Code, w.Header().Get("Cache-Control"))
		}
	}
	w := ask(t, h, "GET", "/static/eddy.css", nil)
	if again := ask(t, h, "GET", "/static/eddy.css", nil, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("with its ETag: got %d, want 304", again.Code)
	}
}

func TestNewRefusesWhatCannotBeServed(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := web.New(web.Config{Records: newEmpty(), Registerer: registry}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config web.Config
		want   string
	}{
		"records": {web.Config{}, "web records: none given"},
		"link":    {web.Config{Records: newEmpty(), TraceLinks: []web.Link{{Name: "x", URL: "javascript:1"}}}, "want a name and an http or https URL"},
		"metrics": {web.Config{Records: newEmpty(), Registerer: registry}, "web metrics: "},
	} {
		if _, err := web.New(c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestTheServerCountsWhatItServes(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := shopConfig(t)
	c.Registerer = registry
	h := serve(t, c).Handler()
	ask(t, h, "GET", "/api/v1/incidents/none", nil)
	ask(t, h, "GET", "/api/v1/incidents/other", nil)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "eddy_web_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if got := m.GetCounter().GetValue(); got != 2 || m.GetLabel()[0].GetValue() != "/api/v1/incidents/{id}" {
				t.Errorf("counted %v requests of %v, want 2 of the route, whatever the ids", got, m.GetLabel())
			}
			return
		}
	}
	t.Error("no requests were counted")
}
