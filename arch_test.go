package eddy_test

import (
	"cmp"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The files are read here, with go/parser, and "go list" is not asked: what a
// child process reads, the test cache does not know of, and it would answer
// "ok (cached)" after somebody added a forbidden import.

const module = "example.test/eddy"

// maxPackages is how many internal packages there may be. Whoever needs one more
// finds two that are one. Public packages are few for another reason, and
// examples are not read on the way from the wire to the page.
const maxPackages = 30

// testOnly are packages that serve tests. They are not in doc.go, since no data
// flows through them.
var testOnly = []string{"internal/accuracy", "internal/accuracy/measure", "internal/eddytest", "internal/store/storetest"}

// limits are the dependencies that cost whoever links them, or that would spread
// a foreign vocabulary, and where they may be imported.
var limits = []limit{
	{
		dependency: "github.com/duckdb/duckdb-go",
		packages:   []string{"internal/store/duckdb"},
		reason:     "it adds 70 MB and seconds of linking to every binary above it",
	},
	{
		dependency: "go.opentelemetry.io/collector",
		packages:   []string{"internal/ingest"},
		reason:     "later stages read package telemetry, and do not follow the collector's releases",
	},
	{
		dependency: "github.com/cloudevents",
		packages:   []string{"internal/ingest"},
		reason:     "a change is one by the time it leaves the border, whatever envelope it came in",
	},
	{
		dependency: "go.opentelemetry.io/otel/sdk",
		packages:   []string{"internal/demo"},
		reason:     "Eddy receives telemetry; only the shop of the demo sends any",
	},
	{
		dependency: "modernc.org/sqlite",
		packages:   []string{"internal/demo"},
		reason:     "it is the shop's database, not Eddy's",
	},
	{
		dependency: "cel.dev/cel-go",
		packages:   []string{"phase/contract/cel"},
		reason:     "it adds 14 MB to every binary above it, and who announces or believes evaluates no guards",
	},
	{
		dependency: "go.etcd.io/etcd",
		packages:   []string{"internal/mediator/etcd"},
		reason:     "it is a database, with a cluster inside, and all the rest must be testable without",
	},
	{
		dependency: "k8s.io",
		packages:   []string{"internal/kubernetes"},
		reason:     "it has types for all there is in a cluster, of which the rest needs none",
	},
	{
		dependency: "github.com/alecthomas/kong",
		packages:   []string{"cmd/eddy"},
		reason:     "flags are read in one place and reach the rest as values",
	},
	{
		dependency: "gonum.org/v1/gonum",
		packages:   []string{"internal/experiment"},
		reason:     "Eddy needs two of its distributions, and nothing of its matrices",
	},
	{dependency: "github.com/chromedp", reason: "a browser is for tests"},
	{dependency: "github.com/google/go-cmp", reason: "it panics on what it cannot compare, which only a test may"},
	{dependency: "github.com/rogpeppe/go-internal", reason: "it is for tests"},
	{dependency: "pgregory.net/rapid", reason: "it is for tests"},
}

// A limit says who may import a dependency and all below its path. No packages
// means only tests. Tests may import any of them except what linkers feel, which
// TestTestsDoNotLinkMoreThanTheirPackage looks after.
type limit struct {
	dependency string
	packages   []string
	reason     string
}

func TestDocListsEveryPackage(t *testing.T) {
	r := readRepository(t)
	for _, dir := range r.order {
		if r.packages[dir] == nil {
			t.Errorf("doc.go lists %s, which has no Go files", dir)
		}
	}
	for _, dir := range r.dirs() {
		if dir != "." && !slices.Contains(testOnly, dir) && !slices.Contains(r.order, dir) {
			t.Errorf("%s is not in doc.go: add a line that says what it adds to the data, below all that it imports", dir)
		}
	}
	internal := 0
	for _, dir := range r.order {
		if strings.HasPrefix(dir, "internal/") {
			internal++
		}
	}
	if internal > maxPackages {
		t.Errorf("doc.go lists %d internal packages; the cap is %d", internal, maxPackages)
	}
	if last := r.order[len(r.order)-1]; last != "cmd/eddy" {
		t.Errorf("doc.go ends with %s; want cmd/eddy, which nothing imports", last)
	}
}

func TestImportsPointUp(t *testing.T) {
	r := readRepository(t)
	for _, dir := range r.dirs() {
		if slices.Contains(testOnly, dir) {
			continue
		}
		for _, imported := range r.packages[dir].own(code) {
			if slices.Contains(testOnly, imported) {
				t.Errorf("%s imports %s, which is for tests", dir, imported)
				continue
			}
			if slices.Index(r.order, imported) >= slices.Index(r.order, dir) {
				t.Errorf("%s imports %s, which stands below it in doc.go", dir, imported)
			}
		}
	}
}

func TestPublicPackagesImportNothingInternal(t *testing.T) {
	r := readRepository(t)
	for _, dir := range r.dirs() {
		if strings.HasPrefix(dir, "internal/") || r.packages[dir].name == "main" {
			continue // nobody else imports it
		}
		for _, imported := range r.packages[dir].own(code) {
			if strings.HasPrefix(imported, "internal/") {
				t.Errorf("%s is public and imports %s: its users would inherit all of that", dir, imported)
			}
		}
	}
}

// Services import phase, and must not take on what only the server needs. What
// the packages of others import in turn is asked of "go list"; all files that
// decide about it are read here, so that the test cache knows of them.
func TestThePhaseSDKLinksNeitherEtcdNorGRPCNorTheServer(t *testing.T) {
	readRepository(t)
	for _, file := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./phase").Output()
	if err != nil {
		t.Fatal(err)
	}
	for imported := range strings.FieldsSeq(string(out)) {
		for _, heavy := range []string{
			"go.etcd.io", "google.golang.org/grpc", "cel.dev", "github.com/duckdb", "go.opentelemetry.io/otel/sdk",
			"go.opentelemetry.io/collector", "github.com/prometheus", "k8s.io", module + "/internal",
		} {
			if imported == heavy || strings.HasPrefix(imported, heavy+"/") {
				t.Errorf("phase links %s: its users would inherit that", imported)
			}
		}
	}
}

func TestDependenciesStayWhereTheyBelong(t *testing.T) {
	r := readRepository(t)
	for _, l := range limits {
		allowed := "only tests may"
		if len(l.packages) > 0 {
			allowed = "only " + strings.Join(l.packages, " and ") + " may"
		}
		for _, dir := range r.dirs() {
			if slices.Contains(l.packages, dir) || slices.Contains(testOnly, dir) {
				continue
			}
			for _, imported := range r.packages[dir].imports[code] {
				if imported == l.dependency || strings.HasPrefix(imported, l.dependency+"/") {
					t.Errorf("%s imports %s, which %s: %s", dir, imported, allowed, l.reason)
				}
			}
		}
	}
}

// The relink of a test binary that holds DuckDB takes several times as long as
// that of one that does not, so only the tests of packages that are above it
// anyway may link it.
func TestTestsDoNotLinkMoreThanTheirPackage(t *testing.T) {
	r := readRepository(t)
	const heavy = "internal/store/duckdb"
	for _, dir := range r.dirs() {
		if dir == heavy || r.route(dir, heavy) != nil {
			continue
		}
		for _, imported := range r.packages[dir].own(tests) {
			if imported == heavy {
				t.Errorf("tests of %s import %s, and so link DuckDB: use the store in memory", dir, heavy)
			} else if route := r.route(imported, heavy); route != nil {
				t.Errorf("tests of %s import %s, and so link DuckDB: use the store in memory", dir, strings.Join(route, ", which imports "))
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	r := readRepository(t)
	for _, dir := range r.dirs() {
		p := r.packages[dir]
		want := "Package " + p.name + " "
		if p.name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		switch {
		case len(p.comments) == 0:
			t.Errorf("%s has no package comment: say what it does to the data, beginning %q", dir, want)
		case len(p.comments) > 1:
			t.Errorf("%s has %d package comments, in %s: keep one", dir, len(p.comments), strings.Join(slices.Sorted(maps.Keys(p.comments)), " and "))
		}
		for file, comment := range p.comments {
			if !strings.HasPrefix(comment, want) {
				t.Errorf("the package comment in %s begins %q, want %q", file, firstLine(comment), want)
			}
		}
	}
}

func TestNothingHappensAtInit(t *testing.T) {
	r := readRepository(t)
	for _, dir := range r.dirs() {
		for _, file := range r.packages[dir].inits {
			t.Errorf("%s has an init function: let a constructor do it, so that two can run in one process", file)
		}
	}
}

func TestFilesAreNamedAfterWhatIsInThem(t *testing.T) {
	vague := []string{"common.go", "consts.go", "errors.go", "helpers.go", "interfaces.go", "misc.go", "types.go", "util.go", "utils.go"}
	r := readRepository(t)
	for _, dir := range r.dirs() {
		for _, file := range r.packages[dir].files {
			if slices.Contains(vague, path.Base(file)) {
				t.Errorf("%s: a file is named after the noun in it; move each thing beside what uses it", file)
			}
		}
	}
}

// A repository is what the tests above ask about.
type repository struct {
	order    []string            // the packages in doc.go, in its order
	packages map[string]*goFiles // by directory, "." for the root
}

// goFiles is one package with its tests.
type goFiles struct {
	name     string
	files    []string
	imports  map[role][]string // sorted, each once
	comments map[string]string // package comments by file, tests left out
	inits    []string          // files with an init function
}

// A role tells a package's code from its tests.
type role int

const (
	code role = iota
	tests
)

// own returns the imports of this module, as directories.
func (g *goFiles) own(r role) []string {
	var dirs []string
	for _, imported := range g.imports[r] {
		if dir, ok := strings.CutPrefix(imported, module+"/"); ok {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (r *repository) dirs() []string { return slices.Sorted(maps.Keys(r.packages)) }

// route returns the packages through which one imports the other, both
// included, or nil if it does not.
func (r *repository) route(from, to string) []string {
	p := r.packages[from]
	if p == nil {
		return nil
	}
	for _, next := range p.own(code) {
		if next == to {
			return []string{from, to}
		}
		if rest := r.route(next, to); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

// repositoryOnDisk reads the Go files once for all tests, which only look.
var repositoryOnDisk = sync.OnceValues(func() (*repository, error) {
	r := &repository{packages: make(map[string]*goFiles)}
	positions := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(positions, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		r.add(filepath.ToSlash(name), f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range r.packages {
		for role, imports := range p.imports {
			slices.Sort(imports)
			p.imports[role] = slices.Compact(imports)
		}
	}
	if len(r.order) == 0 {
		return nil, errors.New("doc.go lists no packages: want tab-indented lines of a directory and what it does")
	}
	return r, nil
})

func readRepository(t *testing.T) *repository {
	t.Helper()
	r, err := repositoryOnDisk()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// enter skips the directories that the go command skips.
func enter(dir string) error {
	base := filepath.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return filepath.SkipDir // a module of its own
	}
	return nil
}

func (r *repository) add(name string, f *ast.File) {
	dir := path.Dir(name)
	p := r.packages[dir]
	if p == nil {
		p = &goFiles{imports: make(map[role][]string), comments: make(map[string]string)}
		r.packages[dir] = p
	}
	p.files = append(p.files, name)
	what := code
	if strings.HasSuffix(name, "_test.go") {
		what = tests
	}
	for _, i := range f.Imports {
		// The parser took it, so it is a quoted string.
		imported, _ := strconv.Unquote(i.Path.Value)
		p.imports[what] = append(p.imports[what], imported)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			p.inits = append(p.inits, name)
		}
	}
	if what == tests {
		p.name = cmp.Or(p.name, strings.TrimSuffix(f.Name.Name, "_test"))
		return
	}
	p.name = f.Name.Name
	if f.Doc != nil {
		p.comments[name] = f.Doc.Text()
	}
	if name == "doc.go" {
		r.order = listed(f.Doc.Text())
	}
}

// listed returns the first word of each tab-indented line.
func listed(comment string) []string {
	var dirs []string
	for line := range strings.Lines(comment) {
		if words := strings.Fields(line); len(words) > 0 && strings.HasPrefix(line, "\t") {
			dirs = append(dirs, words[0])
		}
	}
	return dirs
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
