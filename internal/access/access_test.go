package access_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.test/eddy/internal/access"
)

const (
	collectorToken = "collector-0123456789"
	viewerToken    = "viewer-0123456789abc"
	operatorToken  = "operator-0123456789a"
	approverToken  = "approver-0123456789a"
)

func list(t *testing.T) *access.List {
	t.Helper()
	hash := sha256.Sum256([]byte(approverToken))
	l, err := access.New([]access.Token{
		{Name: "collector", Role: access.Ingest, Token: collectorToken},
		{Name: "vera", Role: access.Viewer, Token: viewerToken},
		{Name: "otto", Role: access.Operator, Token: operatorToken},
		{Name: "anna", Role: access.Approver, Token: "sha256:" + hex.EncodeToString(hash[:])},
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAuthorizeKnowsTokensAndRoles(t *testing.T) {
	l := list(t)
	tests := []struct {
		header string
		role   access.Role
		who    string
		err    error
	}{
		{"Bearer " + collectorToken, access.Ingest, "collector", nil},
		{"Bearer " + collectorToken, access.Viewer, "collector", access.ErrForbidden},
		{"Bearer " + viewerToken, access.Viewer, "vera", nil},
		{"Bearer " + viewerToken, access.Operator, "vera", access.ErrForbidden},
		{"Bearer " + operatorToken, access.Viewer, "otto", nil},
		{"bearer  " + operatorToken + " ", access.Operator, "otto", nil},
		{"Bearer " + operatorToken, access.Approver, "otto", access.ErrForbidden},
		{"Bearer " + approverToken, access.Approver, "anna", nil},
		{"Bearer " + approverToken, access.Viewer, "anna", nil},
		{"Bearer " + approverToken, access.Ingest, "anna", access.ErrForbidden},
		{"Bearer " + approverToken + "x", access.Viewer, "", access.ErrWrongToken},
		{"Basic " + viewerToken, access.Viewer, "", access.ErrNoToken},
		{"Bearer ", access.Viewer, "", access.ErrNoToken},
		{"", access.Viewer, "", access.ErrNoToken},
	}
	for _, tt := range tests {
		who, err := l.Authorize(tt.header, tt.role)
		if who.Name != tt.who || !errors.Is(err, tt.err) {
			t.Errorf("Authorize(%q, %s) = %q, %v, want %q, %v", tt.header, tt.role, who.Name, err, tt.who, tt.err)
		}
	}
}

func TestAnEmptyListIsOpen(t *testing.T) {
	empty, err := access.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*access.List{nil, {}, empty} {
		who, err := l.Authorize("", access.Approver)
		if err != nil || who.Role != access.Approver || !l.Open() {
			t.Errorf("Authorize on an empty list = %v, %v, want an approver", who, err)
		}
	}
}

func TestRolesIncludeEachOtherInOneOrder(t *testing.T) {
	role := rapid.SampledFrom(append(access.Roles(), "owner", ""))
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := role.Draw(t, "a"), role.Draw(t, "b"), role.Draw(t, "c")
		if a.Includes(b) && b.Includes(c) && !a.Includes(c) {
			t.Errorf("%q includes %q includes %q, but not %q %q", a, b, c, a, c)
		}
		if a != b && a.Includes(b) && b.Includes(a) {
			t.Errorf("%q and %q include each other", a, b)
		}
		if a != b && (a == access.Ingest || b == access.Ingest) && a.Includes(b) {
			t.Errorf("%q includes %q", a, b)
		}
		if a.Validate() != nil && (a.Includes(b) || b.Includes(a)) {
			t.Errorf("%q is no role and takes part", a)
		}
	})
}

func TestRequireAnswers401And403(t *testing.T) {
	h := list(t).Require(access.Operator, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, ok := access.From(r.Context())
		if !ok || who.Name != "otto" {
			t.Errorf("From = %v, %v, want otto", who, ok)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	for header, want := range map[string]int{
		"":                         http.StatusUnauthorized,
		"Bearer nobody-0123456789": http.StatusUnauthorized,
		"Bearer " + viewerToken:    http.StatusForbidden,
		"Bearer " + operatorToken:  http.StatusNoContent,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: status %d, want %d", header, w.Code, want)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (want == http.StatusUnauthorized) {
			t.Errorf("%q: WWW-Authenticate %q with status %d", header, challenge, want)
		}
	}
}

func TestErrorsNeverRepeatTheToken(t *testing.T) {
	const secret = "s3cret"
	_, err := access.New([]access.Token{{Name: "ci", Role: access.Ingest, Token: secret}})
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("New = %v, want an error without the token", err)
	}
	_, err = access.Read(strings.NewReader("ci ingest " + secret))
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("Read = %v, want an error that names line 1, without the token", err)
	}
}

func TestReadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for in, want := range map[string]string{
		"ci ingest":                                       "line 1: 2 words: want NAME ROLE TOKEN",
		"# head\n\nci owner 0123456789abcdef":             `line 3: "ci": role "owner": want one of ingest, viewer, operator, approver`,
		"ci ingest sha256:zz":                             `line 1: "ci": token: want 64 hexadecimal digits after "sha256:"`,
		"ci ingest 0123456789abcdef more\nx y z and more": "line 1: 4 words: want NAME ROLE TOKEN",
	} {
		if _, err := access.Read(strings.NewReader(in)); err == nil || err.Error() != want {
			t.Errorf("Read(%q) = %v, want %s", in, err, want)
		}
	}
}

func TestOneTokenHasOneName(t *testing.T) {
	_, err := access.New([]access.Token{
		{Name: "a", Role: access.Viewer, Token: viewerToken},
		{Name: "b", Role: access.Approver, Token: viewerToken},
	})
	if err == nil {
		t.Error("New accepted a token twice")
	}
}

func TestATokenFileThatOthersCanReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte("ci ingest "+collectorToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.ReadFile(path)
	if err != nil || len(tokens) != 1 || tokens[0].Name != "ci" {
		t.Fatalf("ReadFile = %v, %v, want the token of ci", tokens, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := access.ReadFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("ReadFile = %v, want a refusal that says what to do", err)
	}
}

func TestListeningElsewhereNeedsTLSAndTokens(t *testing.T) {
	tests := []struct {
		addr                  string
		tls, tokens, insecure bool
		want                  string // of the error; "" for none
	}{
		{"127.0.0.1:4317", false, false, false, ""},
		{"127.8.9.1:0", false, false, false, ""},
		{"[::1]:4317", false, false, false, ""},
		{"[::ffff:127.0.0.1]:4317", false, false, false, ""},
		{"localhost:4317", false, false, false, ""},
		{"0.0.0.0:4317", true, true, false, ""},
		{"0.0.0.0:4317", false, false, true, ""},
		{"0.0.0.0:4317", false, true, false, "a TLS certificate and key"},
		{":4317", true, false, false, "needs tokens"},
		{"[::]:4317", false, false, false, "a TLS certificate and key and tokens"},
		{"10.0.0.8:4317", false, false, false, "--insecure-listen"},
		{"localhost.example.com:1", false, false, false, "--insecure-listen"},
		{"4317", false, false, true, "want host:port"},
	}
	for _, tt := range tests {
		err := access.CheckListen(tt.addr, tt.tls, tt.tokens, tt.insecure)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("CheckListen(%q, tls %v, tokens %v, insecure %v) = %v, want %q", tt.addr, tt.tls, tt.tokens, tt.insecure, err, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("ci ingest 0123456789abcdef\n# x\n")
	f.Add("a b")
	f.Fuzz(func(t *testing.T, in string) {
		tokens, err := access.Read(strings.NewReader(in))
		if err != nil {
			return
		}
		for _, tok := range tokens {
			if err := tok.Validate(); err != nil {
				t.Errorf("Read returned a token that is invalid: %v", err)
			}
		}
	})
}
