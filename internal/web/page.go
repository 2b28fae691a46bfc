package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed templates static openapi.yaml
var embedded embed.FS

// frame is what the layout shows around every page.
type frame struct {
	Theme  string // "dark", "light", or empty for the system's
	SignIn bool   // tokens are in use
	Page   any
}

// problemPage is what the error page shows.
type problemPage struct {
	Title string
	problem
}

// An asset is an embedded static file.
type asset struct {
	body    []byte
	kind    string
	version string // of the content, for caches
}

func loadAssets() (map[string]asset, error) {
	kinds := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	assets := make(map[string]asset)
	files, err := fs.ReadDir(embedded, "static")
	if err != nil {
		return nil, fmt.Errorf("read static files: %w", err)
	}
	for _, f := range files {
		kind, ok := kinds[path.Ext(f.Name())]
		if !ok {
			continue
		}
		body, err := embedded.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read static file %s: %w", f.Name(), err)
		}
		sum := sha256.Sum256(body)
		assets[f.Name()] = asset{body, kind, hex.EncodeToString(sum[:6])}
	}
	return assets, nil
}

// assetURL is the address of an asset, which changes with its content.
func assetURL(assets map[string]asset, name string) string {
	return "/static/" + name + "?v=" + assets[name].version
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := s.static[r.PathValue("name")]
	if !ok {
		return errNoRoute(r.URL.Path)
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("ETag", `"`+a.version+`"`)
	if r.Header.Get("If-None-Match") == `"`+a.version+`"` {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	_, err := w.Write(a.body)
	return err
}

// parsePages parses each page together with the layout and the parts.
func parsePages(assets map[string]asset) (map[string]*template.Template, error) {
	functions := template.FuncMap{
		"asset": func(name string) string { return assetURL(assets, name) },
	}
	pages := make(map[string]*template.Template)
	for _, name := range []string{"front", "incident", "phases", "trace", "problem", "signin"} {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(embedded,
			"templates/layout.html", "templates/part-*.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
		pages[name] = t
	}
	return pages, nil
}

// render writes a page. It renders before it writes, so a page that fails
// becomes an error page and not half a page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, status int, name string, view any) error {
	f := frame{Page: view, SignIn: !s.config.Access.Open()}
	if c, err := r.Cookie("eddy_theme"); err == nil && (c.Value == "dark" || c.Value == "light") {
		f.Theme = c.Value
	}
	var b bytes.Buffer
	if err := s.pages[name].Execute(&b, f); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write page %s: %w", name, err)
	}
	return nil
}

// A copyable is a query that shows what a picture shows.
type copyable struct{ Name, Text string }

// request returns the shell command that asks the API.
func apiQuery(r *http.Request, path string) copyable {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return copyable{"API", "curl -s " + quoted(scheme+"://"+r.Host+path)}
}

// quoted quotes text for a POSIX shell.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
