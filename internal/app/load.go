package app

import (
	"encoding"
	"errors"
	"fmt"
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

// Load reads options from a YAML file. Durations are written as 10s, 15m, 24h
// or 14d; numbers of bytes may have one of the units KiB, MiB and GiB. An error
// names the file, the line and the option: one that does not exist is an error
// too. A file without options is none.
func Load(path string) (Options, error) {
	var o Options
	text, err := os.ReadFile(path)
	if err != nil {
		return o, fmt.Errorf("config: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return o, fmt.Errorf("config %s: %s", path, syntax(err))
	}
	l := loader{path: path}
	found := false
	for _, document := range file.Docs {
		if document.Body == nil || document.Body.Type() == ast.NullType || document.Body.Type() == ast.CommentType {
			continue
		}
		if found {
			return Options{}, l.wrong(document.Body, "", "a second document: want one")
		}
		found = true
		if err := l.fill(reflect.ValueOf(&o).Elem(), document.Body, ""); err != nil {
			return Options{}, err
		}
	}
	return o, nil
}

// syntax says what is wrong with a file that is no YAML, and shows the line. The
// YAML package's errors do so, but panic where they know no place, as for a map
// that is never closed.
func syntax(err error) string {
	known, ok := errors.AsType[yaml.Error](err)
	switch {
	case !ok:
		return err.Error()
	case known.GetToken() == nil || known.GetToken().Position == nil:
		return known.GetMessage() + ": is a bracket, brace or quote never closed?"
	}
	return yaml.FormatError(err, false, true)
}

// A loader fills options from the nodes of a file. The YAML package can do so,
// too, but its errors tell a user of Go types, and of some values not the line.
type loader struct{ path string }

// wrong is an error about a node.
func (l loader) wrong(n ast.Node, option, what string) error {
	if option != "" {
		what = option + ": " + what
	}
	return fmt.Errorf("config %s:%d: %s", l.path, n.GetToken().Position.Line, what)
}

// fill sets v from n. What is null keeps its default.
func (l loader) fill(v reflect.Value, n ast.Node, option string) error {
	if n == nil || n.Type() == ast.NullType {
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		return l.fillStruct(v, n, option)
	case reflect.Slice:
		list, ok := n.(*ast.SequenceNode)
		if !ok {
			return l.wrong(n, option, "want a list")
		}
		v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
		for i, item := range list.Values {
			if err := l.fill(v.Index(i), item, fmt.Sprintf("%s[%d]", option, i)); err != nil {
				return err
			}
		}
		return nil
	default:
		text, ok := scalar(n)
		if !ok {
			return l.wrong(n, option, "want one value")
		}
		if err := set(v, text); err != nil {
			return l.wrong(n, option, err.Error())
		}
		return nil
	}
}

// fillStruct sets the fields of v, by their names in YAML.
func (l loader) fillStruct(v reflect.Value, n ast.Node, option string) error {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		return l.wrong(n, option, "want options, one \"name: value\" a line")
	}
	fields := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		fields[name], names = v.Field(i), append(names, name)
	}
	slices.Sort(names)
	for pair := pairs.MapRange(); pair.Next(); {
		name, _ := scalar(pair.Key())
		path := strings.TrimPrefix(option+"."+name, ".")
		field, ok := fields[name]
		if !ok {
			return l.wrong(pair.Key(), path, "no such option: want one of "+strings.Join(names, ", "))
		}
		if err := l.fill(field, pair.Value(), path); err != nil {
			return err
		}
	}
	return nil
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

// set sets v from text. An error says what is wanted.
func set(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil || text != "true" && text != "false" {
			return fmt.Errorf("%q: want true or false", text)
		}
		v.SetBool(b)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q: want a number", text)
		}
		v.SetFloat(f)
	case reflect.Int, reflect.Int64:
		parse := size
		if v.Type() == reflect.TypeFor[time.Duration]() {
			parse = duration
		}
		i, err := parse(text)
		if err != nil {
			return err
		}
		v.SetInt(i)
	default:
		panic("BUG: no way to load an option of type " + v.Type().String())
	}
	return nil
}

// size reads a whole number, which may be of KiB, MiB or GiB.
func size(text string) (int64, error) {
	digits, shift := strings.ReplaceAll(text, "_", ""), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(digits, unit); ok {
			digits, shift = strings.TrimSpace(number), 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64>>shift || n < math.MinInt64>>shift {
		return 0, fmt.Errorf("%q: want a whole number, if it is of bytes with KiB, MiB or GiB", text)
	}
	return n << shift, nil
}

// duration reads what time.ParseDuration does, and whole days.
func duration(text string) (int64, error) {
	const most = math.MaxInt64 / int64(24*time.Hour)
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseInt(digits, 10, 64); err == nil && days >= -most && days <= most {
			return days * int64(24*time.Hour), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q: want a duration such as 10s, 15m, 24h or 14d", text)
	}
	return int64(d), nil
}
