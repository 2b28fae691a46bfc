package ingest

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	// maxDepth is how deep lists and maps may be nested in a value. What is
	// deeper is replaced by tooDeep.
	maxDepth = 16
	tooDeep  = "[nested too deep]"
)

// value checks the value of an attribute and returns it as text.
func (w *walk) value(key *word, v pcommon.Value) string {
	if key.secret {
		w.redacted[ruleKey]++
		v.SetStr(Redacted)
		return Redacted
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		clean := w.text(key, s, w.b.bounds.ValueBytes)
		if clean != s {
			v.SetStr(clean)
		}
		return clean
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.Bool())
	case pcommon.ValueTypeInt:
		return w.integer(v)
	case pcommon.ValueTypeDouble, pcommon.ValueTypeEmpty:
		return v.AsString()
	case pcommon.ValueTypeMap, pcommon.ValueTypeSlice, pcommon.ValueTypeBytes:
	}
	return w.composite(v, w.b.bounds.ValueBytes)
}

// text returns a text as it may be kept: redacted, not longer than most bytes,
// valid UTF-8. A text that was seen under key before is returned at once.
func (w *walk) text(key *word, s string, most int) string {
	if known, ok := key.values[s]; ok {
		return known
	}
	clean := w.clean(s, most)
	if clean == s {
		w.b.words.learnValue(key, s)
	}
	w.bytes += int64(len(clean))
	return clean
}

// clean does what text does, without memory.
func (w *walk) clean(s string, most int) string {
	cut := len(s) > most
	if cut {
		// A secret that lies across the cut must be seen whole.
		s = s[:min(len(s), 2*most)]
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	s = w.b.rules.text(s, &w.redacted)
	if cut {
		w.parts[partValue]++
	}
	return shorten(s, most)
}

// shorten cuts s to at most n bytes, between runes, and into memory of its own
// so that the rest can go.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n])
}

// integer renders an integer. Large ones may be card numbers.
func (w *walk) integer(v pcommon.Value) string {
	n := v.Int()
	s := strconv.FormatInt(n, 10)
	w.bytes += int64(len(s))
	if n < 1e12 {
		return s
	}
	clean := w.b.rules.text(s, &w.redacted)
	if clean != s {
		v.SetStr(clean)
	}
	return clean
}

// composite renders a list, a map or bytes, as JSON or base64, after cleaning
// what is in it. If that is longer than most bytes, the text takes the value's
// place.
func (w *walk) composite(v pcommon.Value, most int) string {
	if v.Type() == pcommon.ValueTypeBytes {
		raw := string(v.Bytes().AsRaw()[:min(v.Bytes().Len(), 2*most)])
		var h hits
		if clean := w.b.rules.text(raw, &h); clean != raw {
			for i := range h {
				w.redacted[i] += h[i]
			}
			v.SetStr(Redacted)
			return Redacted
		}
		if v.Bytes().Len() > most {
			v.Bytes().FromRaw([]byte(raw[:3*most/4]))
			w.parts[partValue]++
		}
	} else {
		w.nested(v, 0)
	}
	s := v.AsString()
	if len(s) > most {
		w.parts[partValue]++
		s = shorten(strings.ToValidUTF8(s, "\uFFFD"), most)
		v.SetStr(s)
	}
	w.bytes += int64(len(s))
	return s
}

// nested cleans a value within a list or map.
func (w *walk) nested(v pcommon.Value, depth int) {
	if depth > maxDepth {
		w.parts[partNested]++
		v.SetStr(tooDeep)
		return
	}
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		if clean := w.clean(s, w.b.bounds.BodyBytes); clean != s {
			v.SetStr(clean)
		}
	case pcommon.ValueTypeInt:
		w.integer(v)
	case pcommon.ValueTypeSlice:
		for i := range v.Slice().Len() {
			w.nested(v.Slice().At(i), depth+1)
		}
	case pcommon.ValueTypeMap:
		v.Map().RemoveIf(func(key string, inner pcommon.Value) bool {
			if !utf8.ValidString(key) || len(key) > w.b.bounds.ValueBytes {
				w.parts[partKey]++
				return true
			}
			if w.b.rules.secretKey(key) {
				w.redacted[ruleKey]++
				inner.SetStr(Redacted)
				return false
			}
			w.nested(inner, depth+1)
			return false
		})
	case pcommon.ValueTypeBytes:
		w.composite(v, w.b.bounds.ValueBytes)
	case pcommon.ValueTypeBool, pcommon.ValueTypeDouble, pcommon.ValueTypeEmpty:
	}
}
