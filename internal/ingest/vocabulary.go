package ingest

import (
	"sync"
	"unicode/utf8"
)

// A vocabulary knows the attribute keys that were seen and the values that are
// common. It makes equal texts share memory, remembers which keys hold secrets
// and which values were found clean, and bounds how many keys there are.
//
// A request holds mu for reading while it is worked on; a new word is added
// with learn and learnValue, which give it up for a moment.
type vocabulary struct {
	mu    sync.RWMutex
	words map[string]*word
	max   int // attribute keys
	rules *redactor
}

// A word is an attribute key, or one of the texts that are not keyed, such as
// span names. Its fields but values and full never change.
type word struct {
	text   string
	secret bool
	values map[string]string // clean values, guarded by the vocabulary's mu
	full   bool              // no more values are added
}

const (
	// Values are remembered if they are short and their key has few of them:
	// a service's routes, versions and flags are, ids are not.
	maxValueLen = 96
	maxValues   = 512
)

func newVocabulary(max int, rules *redactor) *vocabulary {
	return &vocabulary{words: make(map[string]*word), max: max, rules: rules}
}

func newWord(text string, secret bool) *word {
	return &word{text: text, secret: secret, values: make(map[string]string)}
}

// learn adds a key and returns its word, or nil if the bound is reached or the
// key is empty or no text. The caller holds mu for reading.
func (v *vocabulary) learn(key string, maxLen int) *word {
	if len(v.words) >= v.max || key == "" || len(key) > maxLen || !utf8.ValidString(key) {
		return nil
	}
	v.mu.RUnlock()
	defer v.mu.RLock()
	secret := v.rules.secretKey(key)
	v.mu.Lock()
	defer v.mu.Unlock()
	if w, ok := v.words[key]; ok {
		return w
	}
	if len(v.words) >= v.max {
		return nil
	}
	w := newWord(key, secret)
	v.words[key] = w
	return w
}

// learnValue remembers a clean value of w, if it is of the kind that returns.
// The caller holds mu for reading.
func (v *vocabulary) learnValue(w *word, value string) {
	if w.full || len(value) > maxValueLen {
		return
	}
	v.mu.RUnlock()
	defer v.mu.RLock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(w.values) >= maxValues {
		w.full = true
		return
	}
	w.values[value] = value
}
