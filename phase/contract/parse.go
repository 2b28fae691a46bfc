package contract

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxBytes is how large a contract may be; the longest that ships has 5 KB.
const maxBytes = 1 << 20

// maxProblems is how many mistakes in a file are told at once.
const maxProblems = 20

// A document is a file: the contract under spec, its name under metadata.
type document struct {
	APIVersion string   `json:"apiVersion" need:"eddy.dev/v1alpha1"`
	Kind       string   `json:"kind" need:"PhaseContract"`
	Metadata   metadata `json:"metadata" need:"{name, version, owner}"`
	Spec       Contract `json:"spec" need:"the contract"`
}

type metadata struct {
	Name    string `json:"name" need:"a name, as rolling-drain"`
	Version int    `json:"version" need:"a number from 1 up"`
	Owner   string `json:"owner" need:"the team that answers for the contract"`
}

// A ParseError is what is wrong with the form of a file: syntax, fields that are
// unknown or missing, values of the wrong kind or range. It has up to twenty
// problems, by line.
type ParseError struct{ Problems []Problem }

// Error has one line for each problem.
func (e *ParseError) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Load is [Parse] on a file.
func Load(path string) (*Contract, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("contract %s: is a directory: want a file", path)
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("contract %s: has %d bytes: want at most %d", path, info.Size(), maxBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return Parse(path, text)
}

// Parse reads a contract from YAML, or JSON, and fills in the defaults; file is
// its name in messages. The error is a [*ParseError] with all that is wrong with the
// form of the file. What it says is not judged here: see [Contract.Lint].
func Parse(file string, text []byte) (*Contract, error) {
	l := loader{file: file, lines: map[string]Position{}}
	if len(text) > maxBytes {
		l.problem(Position{}, "", fmt.Sprintf("has %d bytes", len(text)), fmt.Sprintf("want at most %d", maxBytes))
		return nil, &ParseError{l.problems}
	}
	var d document
	if body := l.body(text); body != nil {
		l.fill(reflect.ValueOf(&d).Elem(), body, "")
	}
	if len(l.problems) == 0 {
		l.envelope(d)
	}
	c := &d.Spec
	c.Name, c.Version, c.Owner = d.Metadata.Name, d.Metadata.Version, d.Metadata.Owner
	c.file, c.lines = file, l.lines
	if len(l.problems) == 0 {
		l.problems = c.ranges()
	}
	if len(l.problems) > 0 {
		slices.SortStableFunc(l.problems, byPosition)
		return nil, &ParseError{l.problems[:min(len(l.problems), maxProblems)]}
	}
	c.fillDefaults()
	return c, nil
}

// A loader fills a document from the nodes of a file. The YAML package can do
// so, too, but its errors tell of Go types, and of some values not the line.
type loader struct {
	file     string
	lines    map[string]Position
	problems []Problem
}

func (l *loader) problem(at Position, field, what, fix string) {
	at.File = l.file
	l.problems = append(l.problems, Problem{Severity: SeverityError, Position: at, Field: field, Message: what, Fix: fix})
}

// body returns the one document of a file.
func (l *loader) body(text []byte) ast.Node {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.syntax(err)
		return nil
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.NullType || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			l.problem(position(d.Body), "", "a second document", "keep one contract a file")
			return nil
		}
		body = d.Body
	}
	if body == nil {
		l.problem(Position{Line: 1, Column: 1}, "", "no contract", "begin with apiVersion: "+APIVersion)
	}
	return body
}

// syntax tells what the YAML package found. It knows no place for some of it, as
// for a map that is never closed.
func (l *loader) syntax(err error) {
	known, ok := errors.AsType[yaml.Error](err)
	switch {
	case !ok:
		l.problem(Position{}, "", err.Error(), "")
	case known.GetToken() == nil || known.GetToken().Position == nil:
		l.problem(Position{}, "", known.GetMessage(), "look for a bracket, brace or quote that is never closed")
	default:
		at := known.GetToken().Position
		l.problem(Position{Line: at.Line, Column: at.Column}, "", "not YAML: "+known.GetMessage(), "")
	}
}

// envelope checks what stands around the contract.
func (l *loader) envelope(d document) {
	want := func(field, got, want string) {
		if got != want {
			l.problem(l.lines[field], field, fmt.Sprintf("is %q", got), "want "+want)
		}
	}
	want("apiVersion", d.APIVersion, APIVersion)
	want("kind", d.Kind, Kind)
	if d.Metadata.Version < 1 {
		l.problem(l.lines["metadata.version"], "metadata.version", fmt.Sprintf("is %d", d.Metadata.Version), "want a number from 1 up")
	}
	if !validName(d.Metadata.Name) {
		l.problem(l.lines["metadata.name"], "metadata.name", fmt.Sprintf("is %q", d.Metadata.Name), "want small letters, digits and hyphens, at most 63")
	}
}

// validName reports whether a name can stand in a URL and a key as it is.
func validName(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// fill sets v from n. What is null keeps its default.
func (l *loader) fill(v reflect.Value, n ast.Node, field string) {
	if len(l.problems) >= maxProblems || n == nil || n.Type() == ast.NullType {
		return
	}
	l.lines[field] = l.at(n)
	if v.Type() == reflect.TypeFor[time.Time]() {
		l.fillScalar(n, field, func(s string) error {
			at, err := time.Parse(time.RFC3339, s)
			if err != nil {
				return fmt.Errorf("%q: want a time, as 2027-12-31T00:00:00Z", s)
			}
			v.Set(reflect.ValueOf(at))
			return nil
		})
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		l.fillScalar(n, field, func(s string) error { return text.UnmarshalText([]byte(s)) })
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		l.fill(v.Elem(), n, field)
	case reflect.Struct:
		l.fillStruct(v, n, field)
	case reflect.Map:
		l.fillMap(v, n, field)
	case reflect.Slice:
		l.fillSlice(v, n, field)
	default:
		l.fillScalar(n, field, func(s string) error { return set(v, n, s) })
	}
}

// pairs yields the keys and values of a map, and refuses a key that is there
// twice, which the YAML package lets pass in some places.
func (l *loader) pairs(n ast.Node, field, want string, yield func(key string, at Position, value ast.Node)) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		l.problem(position(n), field, "is no map", want)
		return
	}
	seen := map[string]bool{}
	for pair := pairs.MapRange(); pair.Next(); {
		key, ok := scalar(pair.Key())
		at := l.at(pair.Key())
		switch {
		case !ok:
			l.problem(at, field, "a key that is no text", want)
		case seen[key]:
			l.problem(at, join(field, key), "is there twice", "keep one")
		default:
			seen[key] = true
			yield(key, at, pair.Value())
		}
	}
}

func (l *loader) fillStruct(v reflect.Value, n ast.Node, field string) {
	fields := map[string]reflect.Value{}
	needs := map[string]string{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name := fieldName(f); name != "" && !inMetadata(v.Type(), name) {
			fields[name] = v.Field(i)
			if need := f.Tag.Get("need"); need != "" {
				needs[name] = need
			}
		}
	}
	misspelt := false
	l.pairs(n, field, "want fields, as {name: value}", func(key string, at Position, value ast.Node) {
		f, ok := fields[key]
		if !ok {
			misspelt = true
			names := slices.Sorted(maps.Keys(fields))
			l.problem(at, join(field, key), "no such field", "want "+suggestion(key, names))
			return
		}
		if value != nil && value.Type() != ast.NullType {
			delete(needs, key)
		}
		l.fill(f, value, join(field, key))
		l.lines[join(field, key)] = at
	})
	if misspelt {
		return // the field that was meant is missing, but that need not be said
	}
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		l.problem(l.at(n), join(field, name), "missing", "want "+needs[name])
	}
}

func (l *loader) fillMap(v reflect.Value, n ast.Node, field string) {
	v.Set(reflect.MakeMap(v.Type()))
	l.pairs(n, field, "want a map, as {name: value}", func(key string, at Position, value ast.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		l.fill(item, value, join(field, key))
		l.lines[join(field, key)] = at
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	})
}

func (l *loader) fillSlice(v reflect.Value, n ast.Node, field string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		l.problem(position(n), field, "is no list", "want a list, as [a, b]")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		l.fill(v.Index(i), item, fmt.Sprintf("%s[%d]", field, i))
	}
}

func (l *loader) fillScalar(n ast.Node, field string, set func(string) error) {
	text, ok := scalar(n)
	if !ok {
		l.problem(position(n), field, "is no single value", "want one value")
		return
	}
	if err := set(text); err != nil {
		l.problem(position(n), field, err.Error(), "")
	}
}

// at is where a node stands.
func (l *loader) at(n ast.Node) Position {
	at := position(n)
	at.File = l.file
	return at
}

func position(n ast.Node) Position {
	// A map's own token is the colon of its first pair; it begins at that key.
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return position(m.Values[0])
		}
	case *ast.MappingValueNode:
		return position(m.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return Position{}
	}
	at := n.GetToken().Position
	return Position{Line: at.Line, Column: at.Column}
}

// scalar returns what is written in a node that holds one value.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// set sets v, which is no text unmarshaler, from text.
func set(v reflect.Value, n ast.Node, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if n.Type() != ast.BoolType {
			return fmt.Errorf("%q: want true or false", text)
		}
		v.SetBool(text == "true")
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q: want a number", text)
		}
		v.SetFloat(f)
	case reflect.Int64: // only durations have this kind
		d, err := duration(text)
		if err != nil {
			return err
		}
		v.SetInt(int64(d))
	case reflect.Int:
		i, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q: want a whole number", text)
		}
		v.SetInt(int64(i))
	default:
		panic("BUG: no way to load a field of type " + v.Type().String())
	}
	return nil
}

// duration is time.ParseDuration without signs.
func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || strings.ContainsAny(text, "+-") {
		return 0, fmt.Errorf("%q: want a duration, as 900ms, 2s, 10m or 168h", text)
	}
	return d, nil
}

// fieldName is the name of a struct's field in the file.
func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// inMetadata reports whether a field of a contract stands under metadata.
func inMetadata(t reflect.Type, name string) bool {
	return t == reflect.TypeFor[Contract]() && (name == "name" || name == "version" || name == "owner")
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }
