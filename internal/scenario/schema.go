package scenario

import (
	"reflect"
	"time"

	"example.test/eddy/internal/sim"
)

// Schema returns the JSON schema (draft 2020-12) of scenario files, made from the
// types that Parse fills. What depends on more than one field, such as that a
// target exists, only Parse checks.
func Schema() map[string]any {
	s := schemaOf(reflect.TypeFor[document]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Eddy scenario"
	s["required"] = []string{"version", "name", "horizon", "topology", "workload"}
	properties, _ := s["properties"].(map[string]any)
	properties["version"] = map[string]any{"const": Version}
	return s
}

func schemaOf(t reflect.Type) map[string]any {
	duration := map[string]any{"type": "string", "pattern": `^-?(0|([0-9.]+(ns|us|µs|ms|s|m|h|d))+)$`}
	number := map[string]any{"type": "number"}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return duration
	case reflect.TypeFor[sim.Dist]():
		return anyOf(duration, object(t), object(reflect.TypeFor[shortDist]()))
	case reflect.TypeFor[sim.Rate]():
		return anyOf(number, object(t))
	case reflect.TypeFor[sim.Keys]():
		return object(reflect.TypeFor[keysEntry]())
	case reflect.TypeFor[sim.Atom]():
		return map[string]any{"type": "string", "pattern": "="}
	case reflect.TypeFor[[]sim.Setting]():
		return map[string]any{"type": "object"}
	case reflect.TypeFor[words]():
		text := map[string]any{"type": "string"}
		return anyOf(text, map[string]any{"type": "array", "items": text})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaOf(t.Elem())
	case reflect.Struct:
		return object(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t.Elem())}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return number
	case reflect.String:
		// A version such as 1.10 is a number to YAML, and a text to a scenario.
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	default:
		return map[string]any{"type": "integer"}
	}
}

func anyOf(schemas ...any) map[string]any { return map[string]any{"anyOf": schemas} }

// object is the schema of a struct.
func object(t reflect.Type) map[string]any {
	properties := make(map[string]any)
	for key, index := range fieldsOf(t) {
		properties[key] = schemaOf(t.FieldByIndex(index).Type)
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}
