package contract

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"
)

// Schema returns the JSON schema of contract files, draft 2020-12, for editors
// and for checks where this package is not at hand. It has the form of a file:
// fields, kinds of value and what is required. What [Parse] says of ranges, and
// [Contract.Lint] of sense, a schema cannot.
func Schema() []byte {
	root := schemaOf(reflect.TypeFor[document](), "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://example.test/eddy/phase-contract.schema.json"
	root["title"] = "Eddy phase contract"
	properties := root["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"const": APIVersion}
	properties["kind"] = map[string]any{"const": Kind}
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(root); err != nil {
		panic("BUG: schema as JSON: " + err.Error())
	}
	return b.Bytes()
}

// schemaOf describes the values of a type. need is what is said when one is
// missing.
func schemaOf(t reflect.Type, need string) map[string]any {
	s := map[string]any{}
	if need != "" {
		s["description"] = need
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		s["type"], s["pattern"] = "string", `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`
		return s
	case t == reflect.TypeFor[time.Time]():
		s["type"], s["format"] = "string", "date-time"
		return s
	case t == reflect.TypeFor[PhaseName]():
		s["type"], s["pattern"] = "string", phaseName.String()
		return s
	case values(t) != nil:
		s["enum"] = values(t)
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem(), need)
	case reflect.Struct:
		structSchema(s, t)
	case reflect.Map:
		s["type"], s["additionalProperties"] = "object", schemaOf(t.Elem(), "")
	case reflect.Slice:
		s["type"], s["items"] = "array", schemaOf(t.Elem(), "")
	case reflect.String:
		s["type"] = "string"
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int:
		s["type"] = "integer"
	case reflect.Float64:
		s["type"] = "number"
	default:
		panic("BUG: no schema for " + t.String())
	}
	return s
}

func structSchema(s map[string]any, t reflect.Type) {
	properties := map[string]any{}
	required := []string{}
	for f := range t.Fields() {
		name := fieldName(f)
		if name == "" || inMetadata(t, name) {
			continue
		}
		need := f.Tag.Get("need")
		properties[name] = schemaOf(f.Type, need)
		if need != "" {
			required = append(required, name)
		}
	}
	s["type"], s["properties"], s["additionalProperties"] = "object", properties, false
	if len(required) > 0 {
		s["required"] = required
	}
}

// values are those of a type that has few.
func values(t reflect.Type) []string {
	if few, ok := reflect.Zero(t).Interface().(named); ok {
		return few.names()
	}
	return nil
}
