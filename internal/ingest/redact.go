package ingest

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.test/eddy/attr"
)

// Redacted stands where something was removed. What is removed by default:
//
//   - the values of attributes whose key has one of these words in it:
//     authorization, cookie, password, passwd, passphrase, secret, token,
//     api key, apikey, access key, private key, credential, credentials, jwt.
//     Keys that end in a word which only describes the secret (name, type,
//     kind, count, size, length, ttl, version, epoch) are left alone, and so is
//     eddy.fence.token, which numbers the holders of a lease;
//   - in every value, name, message and body: email addresses, bearer tokens
//     and JSON web tokens, user and password in URLs, and payment card numbers
//     (by issuer prefix, length and check digit).
const Redacted = "[redacted]"

// The rules, as the metrics name them.
const (
	ruleKey = iota
	ruleEmail
	ruleBearer
	ruleURL
	ruleCard
	ruleCustom
	ruleCount
)

func ruleName(rule int) string {
	return [...]string{"key", "email", "bearer", "url", "card", "custom"}[rule]
}

// hits counts values by the rule that changed them.
type hits [ruleCount]uint32

// A redactor removes what must not be kept. It is safe for concurrent use.
type redactor struct {
	secret   [][]string // words of a key, in a row
	describe []string   // last words that make a key harmless
	keep     map[string]bool
	custom   []*regexp.Regexp
	email    *regexp.Regexp
	bearer   *regexp.Regexp
	jwt      *regexp.Regexp
	url      *regexp.Regexp
}

// newRedactor returns a redactor with the default rules and those of cfg, which
// must be valid.
func newRedactor(cfg RedactConfig) *redactor {
	r := &redactor{
		describe: []string{"name", "type", "kind", "count", "size", "length", "ttl", "version", "epoch"},
		keep:     map[string]bool{},
		email:    regexp.MustCompile(`[\p{L}\p{N}._%+\-]+(?:@|%40)[\p{L}\p{N}\-]+(?:\.[\p{L}\p{N}\-]+)*\.\p{L}{2,}`),
		bearer:   regexp.MustCompile(`(?i)\bbearer[ :=]+([A-Za-z0-9\-._~+/]{16,}=*)`),
		jwt:      regexp.MustCompile(`eyJ[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*){1,2}`),
		url:      regexp.MustCompile(`://[^/?#\s@]*:[^/?#\s@]*@`),
	}
	for _, k := range append([]string{
		"authorization", "cookie", "password", "passwd", "passphrase", "secret", "token", "api key", "apikey",
		"access key", "private key", "credential", "credentials", "jwt",
	}, cfg.Keys...) {
		r.secret = append(r.secret, words(k))
	}
	r.keep[attr.FenceToken] = true
	for _, k := range cfg.Keep {
		r.keep[k] = true
	}
	for _, v := range cfg.Values {
		r.custom = append(r.custom, regexp.MustCompile(v))
	}
	return r
}

// words splits a key into its words in lowercase: at everything that is no
// letter or digit, and where camel case begins one.
func words(key string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(key)
	for i, c := range runes {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			flush()
			continue
		case unicode.IsUpper(c) && i > 0 && !unicode.IsUpper(runes[i-1]):
			flush() // accessToken
		case unicode.IsUpper(c) && i+1 < len(runes) && unicode.IsLower(runes[i+1]):
			flush() // APIKey
		}
		word = append(word, c)
	}
	flush()
	return out
}

// secretKey reports whether the values of key are removed whatever they are.
func (r *redactor) secretKey(key string) bool {
	if r.keep[key] {
		return false
	}
	parts := words(key)
	if len(parts) == 0 || slices.Contains(r.describe, parts[len(parts)-1]) {
		return false
	}
	for _, secret := range r.secret {
		for i := 0; i+len(secret) <= len(parts); i++ {
			if slices.Equal(parts[i:i+len(secret)], secret) {
				return true
			}
		}
	}
	return false
}

// text returns s without what the value rules remove, and counts each rule
// that removed something. Most values are turned away by the checks before
// each expression, which cost a few nanoseconds.
func (r *redactor) text(s string, h *hits) string {
	if strings.IndexByte(s, '@') >= 0 || strings.IndexByte(s, '%') >= 0 && strings.Contains(s, "%40") {
		s = replace(r.url, s, "://"+Redacted+"@", &h[ruleURL])
		s = replace(r.email, s, Redacted, &h[ruleEmail])
	}
	if strings.IndexByte(s, 'J') > 0 && strings.Contains(s, "eyJ") {
		s = replace(r.jwt, s, Redacted, &h[ruleBearer])
	}
	if len(s) > 16 && (strings.Contains(s, "Bearer") || strings.Contains(s, "bearer") || strings.Contains(s, "BEARER")) {
		s = replace(r.bearer, s, "Bearer "+Redacted, &h[ruleBearer])
	}
	if mayHoldCard(s) {
		s = withoutCards(s, &h[ruleCard])
	}
	for _, re := range r.custom {
		s = replace(re, s, Redacted, &h[ruleCustom])
	}
	return s
}

func replace(re *regexp.Regexp, s, with string, hits *uint32) string {
	if !re.MatchString(s) {
		return s
	}
	*hits++
	return re.ReplaceAllLiteralString(s, with)
}

// Card numbers have 13 to 19 digits.
const (
	minCard = 13
	maxCard = 19
)

// mayHoldCard reports whether s may hold a card number. In one, at least every
// second byte is a digit, so it is enough to look at two bytes in every twelve.
func mayHoldCard(s string) bool {
	if len(s) < minCard {
		return false
	}
	for i := 0; i+1 < len(s); i += minCard - 1 {
		if digit(s[i]) || digit(s[i+1]) {
			return true
		}
	}
	return false
}

// withoutCards removes payment card numbers: runs of digits, also in groups
// that are parted by single spaces or hyphens, that an issuer could have given
// out and whose check digit is right. Digits that are part of a longer word or
// of a decimal fraction are left alone.
func withoutCards(s string, hits *uint32) string {
	var out []byte
	var number [maxCard + 1]byte
	done := 0 // s[:done] has been copied to out
	for i := 0; i < len(s); {
		if !digit(s[i]) {
			i++
			continue
		}
		end, n := digitRun(s, i, &number)
		if n >= minCard && alone(s, i, end) && card(number[:n]) {
			out = append(append(out, s[done:i]...), Redacted...)
			done = end
			*hits++
		}
		i = end
	}
	if done == 0 {
		return s
	}
	return string(append(out, s[done:]...))
}

func digit(c byte) bool { return c-'0' < 10 }

// digitRun returns where the run of digits ends that starts at i. It puts the
// digits into number, at most one more than a card has, and returns how many.
func digitRun(s string, i int, number *[maxCard + 1]byte) (end, n int) {
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case digit(c):
			if n < len(number) {
				number[n] = c
				n++
			}
			end = i + 1
		case (c == ' ' || c == '-') && i+1 < len(s) && digit(s[i+1]):
		default:
			return end, n
		}
	}
	return end, n
}

// alone reports whether s[start:end] is not part of a word or a fraction.
func alone(s string, start, end int) bool {
	if start > 0 {
		before, _ := utf8.DecodeLastRuneInString(s[:start])
		if before == '.' || before == '_' || unicode.IsLetter(before) {
			return false
		}
	}
	after, _ := utf8.DecodeRuneInString(s[end:])
	return end == len(s) || after != '_' && !unicode.IsLetter(after)
}

// card reports whether number, digits only, can be a payment card's.
func card(number []byte) bool {
	if !issued(number) {
		return false
	}
	sum := 0
	for i := range number {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// issued reports whether an issuer's prefix and length fit. Without this one
// in ten numeric ids would be taken for a card.
func issued(number []byte) bool {
	prefix := 0
	for _, c := range number[:4] {
		prefix = 10*prefix + int(c-'0')
	}
	n := len(number)
	switch {
	case prefix/1000 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case prefix/100 >= 51 && prefix/100 <= 55, prefix >= 2221 && prefix <= 2720: // Mastercard
		return n == 16
	case prefix/100 == 34, prefix/100 == 37: // American Express
		return n == 15
	case prefix == 6011, prefix/100 == 65, prefix/10 >= 644 && prefix/10 <= 649, prefix/100 == 62: // Discover, UnionPay
		return n >= 16 && n <= maxCard
	case prefix >= 3528 && prefix <= 3589: // JCB
		return n >= 16 && n <= maxCard
	case prefix/100 == 36, prefix/100 == 38, prefix/10 >= 300 && prefix/10 <= 305: // Diners
		return n == 14
	}
	return false
}
