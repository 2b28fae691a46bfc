package eddy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, document := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, document), -1) {
			target, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s links to %q: %v", document, match[1], err)
				continue
			}
			if target.IsAbs() || target.Path == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), filepath.FromSlash(target.Path))); err != nil {
				t.Errorf("%s links to %s, which does not exist", document, match[1])
			}
		}
	}
}

func TestEveryDocumentIsInTheIndex(t *testing.T) {
	const index = "docs/README.md"
	text := read(t, index)
	for _, document := range documents(t) {
		name, ok := strings.CutPrefix(document, "docs/")
		if ok && document != index && !strings.Contains(text, "("+name+")") {
			t.Errorf("%s does not link to %s", index, document)
		}
	}
}

func TestDocumentsNameOnlyTargetsThatMakeHas(t *testing.T) {
	targets := []string{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## `).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, match[1])
	}
	// In code, whether a span or a line, "make" is the command.
	command := regexp.MustCompile("(?m)(?:`|^    )make ([a-z0-9-]+)")
	for _, document := range documents(t) {
		for _, match := range command.FindAllStringSubmatch(read(t, document), -1) {
			if !slices.Contains(targets, match[1]) {
				t.Errorf("%s says %q; the Makefile has the targets %v", document, "make "+match[1], targets)
			}
		}
	}
}

// What people read as one word out of a fixed few, they must be able to look up.
func TestWordsExplainEveryFixedValue(t *testing.T) {
	words := read(t, "docs/words.md")
	for _, from := range []struct{ file, typeName string }{
		{"internal/telemetry/change.go", "ChangeKind"},
		{"internal/telemetry/change.go", "Origin"},
		{"internal/interaction/interaction.go", "Verdict"},
		{"internal/incident/incident.go", "State"},
		{"internal/access/role.go", "Role"},
		{"internal/experiment/verdict.go", "Verdict"},
		{"internal/incident/experiment.go", "Status"},
		{"internal/scenario/match.go", "Match"},
	} {
		values := constants(t, from.file, from.typeName)
		if len(values) == 0 {
			t.Errorf("%s has no constants of type %s", from.file, from.typeName)
		}
		for _, value := range values {
			if !strings.Contains(words, "`"+value+"`") {
				t.Errorf("docs/words.md does not explain `%s`, a %s in %s", value, from.typeName, from.file)
			}
		}
	}
}

// documents returns the paths of all Markdown files that are for people.
func documents(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(name)
		case filepath.Ext(name) == ".md":
			paths = append(paths, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// constants returns the string constants of a type that a file declares.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for n := range ast.Preorder(f) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != typeName {
			continue
		}
		for _, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, _ := strconv.Unquote(literal.Value)
				values = append(values, text)
			}
		}
	}
	return values
}
