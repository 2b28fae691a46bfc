package scenario

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"example.test/eddy/internal/sim"
)

// A decoder fills Go values from the nodes of a file, and collects what does not
// fit. The YAML package can fill structs too, but its errors speak of Go types,
// and it stops at the first.
type decoder struct {
	file     string
	problems Problems
	// lines are those of the fields, and of what sim.Model.Validate names, as
	// "service web".
	lines map[string]int
}

// mostProblems is how many are reported: more would only repeat a slip.
const mostProblems = 20

func (d *decoder) wrong(n ast.Node, at, format string, args ...any) {
	if len(d.problems) < mostProblems {
		d.problems = append(d.problems, Problem{File: d.file, Line: lineOf(n), At: at, Text: fmt.Sprintf(format, args...)})
	}
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// fill sets v from n. What is null stays as it is.
func (d *decoder) fill(v reflect.Value, n ast.Node, at string) {
	if n == nil || n.Type() == ast.NullType {
		return
	}
	if d.fillShort(v, n, at) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.fill(v.Elem(), n, at)
	case reflect.Struct:
		d.fillStruct(v, n, at)
	case reflect.Slice:
		d.fillList(v, n, at)
	case reflect.Map:
		d.fillMap(v, n, at)
	default:
		text, ok := scalar(n)
		if !ok {
			d.wrong(n, at, "want %s", wanted(v.Type()))
			return
		}
		if !set(v, text) {
			d.wrong(n, at, "%q: want %s", text, wanted(v.Type()))
		}
	}
}

// words are several, or one that stands for a list of one.
type words []string

func (d *decoder) fillList(v reflect.Value, n ast.Node, at string) {
	items, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrong(n, at, "want a list: [a, b], or one \"- a\" a line")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items.Values), len(items.Values)))
	for i, item := range items.Values {
		d.lines[fmt.Sprintf("%s[%d]", at, i)] = lineOf(item)
		d.fill(v.Index(i), item, fmt.Sprintf("%s[%d]", at, i))
	}
}

func (d *decoder) fillMap(v reflect.Value, n ast.Node, at string) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		d.wrong(n, at, "want one \"name: value\" a line")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for pair := pairs.MapRange(); pair.Next(); {
		name, ok := scalar(pair.Key())
		if !ok {
			d.wrong(pair.Key(), at, "want a name before the colon")
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.fill(value, pair.Value(), join(at, name))
		v.SetMapIndex(reflect.ValueOf(name), value)
		d.note(value, name, pair.Key())
	}
}

// fillStruct sets the fields of v by their names in a file.
func (d *decoder) fillStruct(v reflect.Value, n ast.Node, at string) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		d.wrong(n, at, "want %s, one \"name: value\" a line", list(keysOf(v.Type())))
		return
	}
	fields := fieldsOf(v.Type())
	for pair := pairs.MapRange(); pair.Next(); {
		name, _ := scalar(pair.Key())
		index, ok := fields[name]
		if !ok {
			fix := "it has " + list(keysOf(v.Type()))
			if near := nearest(name, keysOf(v.Type())); near != "" {
				fix = fmt.Sprintf("do you mean %s?", near)
			}
			d.wrong(pair.Key(), join(at, name), "no such field: %s", fix)
			continue
		}
		d.lines[join(at, name)] = lineOf(pair.Key())
		d.fill(v.FieldByIndex(index), pair.Value(), join(at, name))
	}
	d.note(v, "", n)
}

// note keeps the line of what sim.Model.Validate may complain about: it says
// "lease leader" of a Lease with that ID, and what has none goes by its name in
// the file.
func (d *decoder) note(v reflect.Value, name string, n ast.Node) {
	if v.Kind() != reflect.Struct {
		return
	}
	kind := strings.TrimSuffix(strings.ToLower(v.Type().Name()), "entry")
	if id := v.FieldByName("ID"); id.IsValid() {
		d.lines[kind+" "+id.String()] = lineOf(n)
	} else if name != "" {
		d.lines[kind+" "+name] = lineOf(n)
	}
}

// settings reads what a condition applies: parameters by name, and those within
// others either with dots or as maps.
func (d *decoder) settings(n ast.Node, at, prefix string, out []sim.Setting) []sim.Setting {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		d.wrong(n, at, "want parameters of the target, one \"name: value\" a line")
		return out
	}
	for pair := pairs.MapRange(); pair.Next(); {
		name, _ := scalar(pair.Key())
		param := join(prefix, name)
		value := pair.Value()
		switch inner, isMap := value.(ast.MapNode); {
		case strings.Count(param, ".") > 5:
			d.wrong(value, at, "%s: no parameter is nested that deep", param)
		case param == "rate":
			var rate sim.Rate
			d.fill(reflect.ValueOf(&rate).Elem(), value, join(at, name))
			out = append(out, sim.Setting{Param: param, Value: rate})
		case isMap && isDist(inner):
			var dist sim.Dist
			d.fill(reflect.ValueOf(&dist).Elem(), value, join(at, name))
			out = append(out, sim.Setting{Param: param, Value: dist})
		case isMap:
			out = d.settings(value, join(at, name), param, out)
		default:
			v, ok := plain(value)
			if !ok {
				d.wrong(value, join(at, name), "want a number, true or false, a duration or a text")
				continue
			}
			out = append(out, sim.Setting{Param: param, Value: v})
		}
	}
	return out
}

func has(n ast.MapNode, key string) bool {
	for pair := n.MapRange(); pair.Next(); {
		if name, _ := scalar(pair.Key()); name == key {
			return true
		}
	}
	return false
}

// plain returns a scalar as a bool, a float64 or a text.
func plain(n ast.Node) (any, bool) {
	text, ok := scalar(n)
	if !ok {
		return nil, false
	}
	switch n.(type) {
	case *ast.BoolNode:
		b, err := strconv.ParseBool(text)
		return b, err == nil
	case *ast.IntegerNode, *ast.FloatNode:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return text, true
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

// set sets v from text; false if it does not fit.
func set(v reflect.Value, text string) bool {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		dur, err := time.ParseDuration(text)
		if days, isDays := strings.CutSuffix(text, "d"); isDays && err != nil {
			var n int64
			n, err = strconv.ParseInt(days, 10, 16)
			dur = time.Duration(n) * 24 * time.Hour
		}
		v.SetInt(int64(dur))
		return err == nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return true
	case reflect.Bool:
		v.SetBool(text == "true")
		return text == "true" || text == "false"
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		v.SetFloat(f)
		return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case reflect.Int, reflect.Int64, reflect.Int32:
		i, err := strconv.ParseInt(text, 10, 32)
		v.SetInt(i)
		return err == nil
	case reflect.Uint64:
		u, err := strconv.ParseUint(text, 10, 64)
		v.SetUint(u)
		return err == nil
	default:
		panic("BUG: no way to read a " + v.Type().String() + " from a scenario file")
	}
}

// wanted says what a value of a type looks like.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration, such as 500ms, 10s or 1h30m"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	default:
		return "a text"
	}
}

func join(at, name string) string { return strings.TrimPrefix(at+"."+name, ".") }

// fieldsOf returns the index of each field of a struct by its key in a file.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if key := keyOf(t, f); key != "" {
			fields[key] = f.Index
		}
	}
	return fields
}

// keysOf returns the keys of a struct, sorted.
func keysOf(t reflect.Type) []string {
	var keys []string
	for key := range fieldsOf(t) {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(a, b) })
	return keys
}

// keyOf returns the key of a field: its name in lower case with underscores,
// except where a file has it otherwise; "" if a file does not have it.
func keyOf(t reflect.Type, f reflect.StructField) string {
	if f.Anonymous || !f.IsExported() {
		return ""
	}
	switch {
	case t == reflect.TypeFor[sim.Policy]() && (f.Name == "From" || f.Name == "To"):
		return "" // the key of the policy says it
	case t == reflect.TypeFor[sim.Dist]() && f.Name == "Shape":
		return "dist"
	}
	return snake(f.Name)
}

// snake writes a Go name in lower case with underscores: "ServiceTime" and "ID"
// as service_time and id.
func snake(name string) string {
	var b strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		starts := unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
