// The tests of commands stand inside the package, because a command is not one
// that can be imported.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"example.test/eddy/internal/eddytest"
)

// explainDocument is the page that documents eddy explain.
const explainDocument = "../../docs/explain.md"

// runExplain runs eddy with the arguments and returns what it printed.
func runExplain(t *testing.T, in string, args ...string) (out, err string, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = execute(t.Context(), append([]string{"explain"}, args...), stdio{strings.NewReader(in), &stdout, &stderr})
	return stdout.String(), stderr.String(), status
}

// TestDocumentedExamplesPrintWhatTheDocumentSays writes the files of the page,
// runs its commands, and compares what they print. With EDDY_UPDATE=1 it
// rewrites the page instead.
func TestDocumentedExamplesPrintWhatTheDocumentSays(t *testing.T) {
	path, err := filepath.Abs(explainDocument)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("requests.csv", []byte(requests()), 0o644); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(\\S*) ?(.*?)\n(.*?)^```$")
	ran := 0
	now := blocks.ReplaceAllStringFunc(string(page), func(block string) string {
		part := blocks.FindStringSubmatch(block)
		if name, ok := strings.CutPrefix(part[2], "file="); ok {
			if err := os.WriteFile(name, []byte(part[3]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		command, ok := strings.CutPrefix(part[3], "$ eddy explain ")
		if part[1] != "console" || !ok {
			return block
		}
		command, _, _ = strings.Cut(command, "\n")
		command = strings.ReplaceAll(command, "'", "") // which a shell would take away
		out, stderr, status := runExplain(t, "", strings.Fields(command)...)
		if status != 0 || stderr != "" {
			t.Errorf("eddy explain %s: exit status %d, %s", command, status, stderr)
		}
		ran++
		first, _, _ := strings.Cut(part[3], "\n")
		return "```console\n" + first + "\n" + out + "```"
	})
	if ran < 2 {
		t.Errorf("ran %d examples of the page, want at least 2", ran)
	}
	if eddytest.Updating() {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := diff.Diff("docs/explain.md", page, "got", []byte(now)); d != nil {
		t.Errorf("the page does not show what the commands print; if they are right, run \"make update\" and read the diff\n%s", d)
	}
}

// requests is a table of requests to three routes that usually take about 12, 40
// and 300 ms. With cart 2.4.0 and the small pool they take 40 % longer. None fails.
func requests() string {
	random := rand.New(rand.NewPCG(5, 5))
	var b strings.Builder
	b.WriteString("route,cart,pool,zone,took_ms\n")
	for range 6000 {
		route := random.IntN(3)
		cart := []string{"2.3.0", "2.4.0"}[random.IntN(2)]
		pool := []string{"small", "large"}[random.IntN(2)]
		ms := []float64{12, 40, 300}[route] * math.Exp(0.2*random.NormFloat64())
		if cart == "2.4.0" && pool == "small" {
			ms *= 1.4
		}
		fmt.Fprintf(&b, "%s,%s,%s,z%d,%.1f\n", []string{"/cart", "/search", "/pay"}[route], cart, pool, random.IntN(3), ms)
	}
	return b.String()
}

// builds is a table in which each kind of member of the JSON output occurs.
func builds() string {
	var b strings.Builder
	b.WriteString("id,tool,database,driver,load,failed\n")
	for i := range 2400 {
		tool := []string{"gradle", "maven"}[i%2]
		database := []string{"mariadb", "postgres", "mysql"}[i/2%3]
		driver := database + "-driver" // an alias
		failed := "0"
		if tool == "gradle" && database == "mariadb" && i%10 != 0 || i%97 == 0 {
			failed = "1"
		}
		fmt.Fprintf(&b, "id-%d,%s,%s,%s,%d,%s\n", i, tool, database, driver, i*31%1000, failed)
	}
	return b.String()
}

func TestJSONHasTheDocumentedMembers(t *testing.T) {
	out, stderr, status := runExplain(t, builds(), "-", "--failed", "failed", "--json")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	finding := got["findings"].([]any)[0].(map[string]any)
	for _, c := range []struct {
		what    string
		members map[string]any
		want    string
	}{
		{"top", got, "verdict rows failed outcome sentence findings explained missing columns"},
		{"finding", finding, "rank verdict grade conditions aliases cells coverage excess difference p for against missing"},
		{"condition", finding["conditions"].([]any)[0].(map[string]any), "name value"},
		{"alias", finding["aliases"].([]any)[0].(map[string]any), "name value of discordant"},
		{"cell", finding["cells"].([]any)[0].(map[string]any), "holds n failed risk low high"},
		{"column", got["columns"].([]any)[0].(map[string]any), "name kind reason"},
	} {
		for name := range strings.FieldsSeq(c.want) {
			if _, ok := c.members[name]; !ok {
				t.Errorf("%s has no %q: %v", c.what, name, c.members)
			}
		}
	}
	page, err := os.ReadFile(explainDocument)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				if !bytes.Contains(page, []byte("`"+name+"`")) {
					t.Errorf("member %q is not in docs/explain.md", name)
				}
				walk(member)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case nil:
			t.Error("a member is null; want an empty list, or none")
		}
	}
	walk(got)
	out, stderr, status = runExplain(t, requests(), "-", "--slow", "took_ms", "--entry", "route", "--json")
	if status != 0 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	var slow map[string]any
	if err := json.Unmarshal([]byte(out), &slow); err != nil {
		t.Fatal(err)
	}
	if rule, _ := slow["slow"].(map[string]any); slow["outcome"] != "slow" || rule["column"] != "took_ms" || len(rule["entries"].([]any)) != 3 {
		t.Errorf("outcome %v, slow %v: want took_ms, with limits for three routes", slow["outcome"], slow["slow"])
	}
	walk(slow)
}

func TestSameTableAndSeedPrintTheSameBytes(t *testing.T) {
	first, _, _ := runExplain(t, builds(), "-", "--failed", "failed", "--json", "--seed", "7")
	second, _, _ := runExplain(t, builds(), "-", "--failed", "failed", "--json", "--seed", "7")
	if first != second || first == "" {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
}

func TestTextFitsTheWidth(t *testing.T) {
	for _, width := range []string{"40", "60", "80", "200"} {
		t.Setenv("COLUMNS", width)
		out, stderr, status := runExplain(t, builds(), "-", "--failed", "failed")
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		longest := 0
		for line := range strings.Lines(out) {
			longest = max(longest, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
		}
		want := map[string]int{"40": 62, "60": 62, "80": 80, "200": 200}[width] // the numbers need 62
		if longest > want {
			t.Errorf("COLUMNS=%s: the longest line has %d characters, want at most %d:\n%s", width, longest, want, out)
		}
		if strings.ContainsRune(out, '\x1b') {
			t.Errorf("COLUMNS=%s: escape codes in what is not printed on a terminal", width)
		}
	}
}
