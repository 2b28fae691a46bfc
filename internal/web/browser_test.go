package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/pipeline"
	"example.test/eddy/internal/web"
)

// chromium is where Debian puts it.
const chromium = "/usr/bin/chromium"

// browser is a real one, and what it complained about.
type browser struct {
	context.Context

	mu         sync.Mutex
	complaints []string
}

// openBrowser starts one, or skips the test where there is none.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		if os.Getenv("EDDY_REQUIRE_BROWSER") == "1" {
			t.Fatalf("no browser at %s, and EDDY_REQUIRE_BROWSER=1", chromium)
		}
		t.Skipf("no browser at %s: install chromium to run this test, or set EDDY_REQUIRE_BROWSER=1 to make its absence a failure", chromium)
	}
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{Context: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatalf("start %s: %v", chromium, err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start %s: %v", chromium, err)
	}
	return b
}

// listen keeps errors: exceptions, console.error, and what the browser itself
// reports, violations of the content security policy among them.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			b.complaints = append(b.complaints, fmt.Sprintf("console: %v", e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// do runs actions, and fails the test on what the browser complained about.
func (b *browser) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, actions...); err != nil {
		t.Fatal(err)
	}
	b.complain(t)
}

// complain fails the test on what the browser complained about since.
func (b *browser) complain(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Errorf("browser complains: %s", c)
	}
	b.complaints = nil
}

// shoot writes a picture of the whole page for people to look at, if they ask
// for it with EDDY_SHOTS=directory.
func (b *browser) shoot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("EDDY_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// evaluate returns the value of an expression as JSON.
func (b *browser) evaluate(t *testing.T, expression string) string {
	t.Helper()
	value, err := chromedp.Run(b, chromedp.Evaluate[any](expression))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expression, err)
	}
	b.complain(t)
	return fmt.Sprint(value)
}

// look chooses the size of the window and the theme of the system.
func look(width int64, scheme string) chromedp.Action[chromedp.Void] {
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	return chromedp.Steps(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
		return err
	}))
}

func TestPagesInABrowserFitAndRunCleanly(t *testing.T) {
	b := openBrowser(t)
	s := serve(t, shopConfig(t))
	full := httptest.NewServer(s.Handler())
	empty := httptest.NewServer(serve(t, web.Config{Records: newEmpty()}).Handler())
	t.Cleanup(s.Close)
	defer full.CloseClientConnections()
	defer empty.CloseClientConnections()
	failed := newShopTrace(t)
	pages := map[string]string{
		"front":       full.URL + "/",
		"twist":       full.URL + "/incidents/2026-11-21-1",
		"single":      full.URL + "/incidents/2026-11-20-1",
		"unexplained": full.URL + "/incidents/2026-11-21-2",
		"long":        full.URL + "/incidents/2026-11-21-3",
		"trace":       full.URL + "/traces/" + failed + "?incident=2026-11-21-1",
		"signin":      full.URL + "/signin",
		"empty":       empty.URL + "/",
	}
	schemes := []string{"dark"}
	if os.Getenv("EDDY_SHOTS") != "" {
		schemes = append(schemes, "light")
	}
	for _, name := range []string{"front", "twist", "single", "unexplained", "long", "trace", "signin", "empty"} {
		for _, scheme := range schemes {
			for _, width := range []int64{1280, 390} {
				b.do(t, look(width, scheme), chromedp.Navigate(pages[name]), chromedp.WaitReady(chromedp.CSS("#main")))
				if name == "trace" {
					b.do(t, chromedp.Click(chromedp.CSS("details.span:nth-of-type(3) > summary")))
				}
				if got := b.evaluate(t, "document.documentElement.scrollWidth - innerWidth"); !strings.HasPrefix(got, "-") && got != "0" {
					wide := b.evaluate(t, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + (e.className.baseVal ?? e.className)).slice(0, 6)`)
					t.Errorf("%s at %d px is %s px too wide: %s", name, width, got, wide)
				}
				b.shoot(t, fmt.Sprintf("%s-%s-%d", name, scheme, width))
			}
		}
	}
}

func TestKeysMoveThroughPages(t *testing.T) {
	b := openBrowser(t)
	server := httptest.NewServer(serve(t, shopConfig(t)).Handler())
	defer server.CloseClientConnections()
	b.do(t, look(1280, "dark"), chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(chromedp.CSS("#main")), chromedp.KeyEvent("jjk"))
	if got := b.evaluate(t, "document.activeElement.getAttribute('href')"); got != "/incidents/2026-11-21-1" {
		t.Errorf("after j j k the focus is on %s, want the first incident", got)
	}
	b.do(t, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#h-cells")), chromedp.KeyEvent("?"))
	if got := b.evaluate(t, "document.getElementById('keys').open"); got != "true" {
		t.Errorf("after ? the list of keys is open: %s, want true", got)
	}
	b.do(t, chromedp.KeyEvent("?"), chromedp.KeyEvent("t"))
	if got := b.evaluate(t, "document.documentElement.dataset.theme + ' ' + document.cookie"); !strings.Contains(got, "light") || !strings.Contains(got, "eddy_theme=light") {
		t.Errorf("after t on a dark system the theme is %s, want light and a cookie that says so", got)
	}
	b.do(t, chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS(".waterfall")))
	if got := b.evaluate(t, "document.documentElement.dataset.theme"); got != "light" {
		t.Errorf("the next page has theme %s, want the light one that was chosen", got)
	}
	b.do(t, chromedp.KeyEvent("u"), chromedp.WaitVisible(chromedp.CSS("#h-cells")), chromedp.KeyEvent("u"), chromedp.WaitVisible(chromedp.CSS(".causes")))
}

func TestALiveUpdateArrivesAndKeepsTheReadersPlace(t *testing.T) {
	b := openBrowser(t)
	config := shopConfig(t)
	s := serve(t, config)
	server := httptest.NewServer(s.Handler())
	defer server.CloseClientConnections()
	b.do(t, look(1280, "dark"), chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(chromedp.CSS(`#live[data-state="on"]`)), chromedp.KeyEvent("j"))

	fresh := unexplained()
	fresh.ID, fresh.State, fresh.Title, fresh.Analyses = "2026-11-21-9", incident.Open, "Logins fail and nothing on record explains it.", 1
	fresh.Began, fresh.Closed, fresh.Updated, fresh.LastFailure = now().Add(-4*time.Minute), time.Time{}, now(), now()
	r := pipeline.Result{Incidents: []incident.Incident{fresh}}
	config.Records.(*shop).save(t, r)
	s.Publish(r)
	b.do(t, chromedp.WaitVisible(chromedp.CSS(`a[href="/incidents/2026-11-21-9"]`)))
	if got := b.evaluate(t, "document.activeElement.getAttribute('href')"); got != "/incidents/2026-11-21-1" {
		t.Errorf("after the update the focus is on %s, want it where it was", got)
	}
	if got := b.evaluate(t, "document.getElementById('said').textContent"); !strings.Contains(got, fresh.Title) {
		t.Errorf("screen readers were told %s, want the new incident's title", got)
	}

	fresh.Title, fresh.Analyses = "Logins fail since the key was rotated.", 2
	b.do(t, chromedp.Navigate(server.URL+"/incidents/2026-11-21-9"), chromedp.WaitReady(chromedp.CSS(`#live[data-state="on"]`)), chromedp.Click(chromedp.CSS(".query summary")))
	r = pipeline.Result{Incidents: []incident.Incident{fresh}}
	config.Records.(*shop).save(t, r)
	s.Publish(r)
	b.do(t, chromedp.Poll[chromedp.Void](`document.querySelector("h1").textContent.includes("rotated")`))
	if got := b.evaluate(t, `document.querySelector(".query").open`); got != "true" {
		t.Errorf("the query that the reader opened is open after the update: %s, want true", got)
	}
}

func TestAQueryIsCopiedWithOneClick(t *testing.T) {
	b := openBrowser(t)
	server := httptest.NewServer(serve(t, shopConfig(t)).Handler())
	defer server.CloseClientConnections()
	b.do(t, look(1280, "light"), chromedp.Navigate(server.URL+"/incidents/2026-11-21-1"), chromedp.WaitReady(chromedp.CSS("#main")))
	// Headless browsers keep the clipboard to themselves, so a stand-in takes
	// what the page would have put there.
	b.evaluate(t, `Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { window.copied = text; } } }), 1`)
	b.do(t, chromedp.Click(chromedp.CSS(".query summary")), chromedp.Click(chromedp.CSS(".query .copyable:nth-of-type(1) button")),
		chromedp.Poll[chromedp.Void](`window.copied !== undefined`))
	if got, want := b.evaluate(t, "window.copied"), "curl -s '"+server.URL+"/api/v1/incidents/2026-11-21-1/confluence'"; got != want {
		t.Errorf("copied %q, want %q", got, want)
	}
	b.shoot(t, "query")
}
