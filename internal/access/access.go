// Package access knows who may do what, by token and role.
//
// A List holds tokens, each with a name and a role, and answers whether the
// sender of an Authorization header may act in a role. It keeps only hashes of
// tokens, and compares with all of them in constant time. An empty List is
// open: it lets everyone do everything, which is why CheckListen refuses to
// serve one on an address that other machines can reach.
//
// A List never changes after it is made; all methods are safe for concurrent
// use.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// What Authorize refuses. The text of each is meant for the sender.
var (
	// ErrNoToken says that the request carried no bearer token.
	ErrNoToken = errors.New(`no token: send "Authorization: Bearer TOKEN"`)
	// ErrWrongToken says that the token is on no list.
	ErrWrongToken = errors.New("wrong token: it is not one of the tokens that this server was given")
	// ErrForbidden says that the token is known and its role does not suffice.
	ErrForbidden = errors.New("role does not suffice")
)

// A Principal is who sent a request.
type Principal struct {
	Name string
	Role Role
}

// A List knows the tokens. The nil and the zero List are open.
type List struct {
	entries []entry
}

type entry struct {
	hash [sha256.Size]byte
	who  Principal
}

// New returns a list of tokens. It refuses a token that Token.Validate
// refuses, and one that occurs twice, because then the name in the audit would
// be a guess.
func New(tokens []Token) (*List, error) {
	l := &List{}
	for i, t := range tokens {
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		hash, err := t.hash()
		if err != nil {
			return nil, fmt.Errorf("token %d: %w", i+1, err)
		}
		for _, e := range l.entries {
			if e.hash == hash {
				return nil, fmt.Errorf("token %d: %q has the same token as %q: give each its own", i+1, t.Name, e.who.Name)
			}
		}
		l.entries = append(l.entries, entry{hash: hash, who: Principal{Name: t.Name, Role: t.Role}})
	}
	return l, nil
}

// Open reports whether there are no tokens, so that everyone may do
// everything.
func (l *List) Open() bool { return l == nil || len(l.entries) == 0 }

// Authorize returns who sent the value of an Authorization header, if that
// principal may act in role. The errors wrap ErrNoToken, ErrWrongToken or
// ErrForbidden; with ErrForbidden the principal is returned too. An open list
// authorizes everyone as "anyone", in the role that was asked for.
func (l *List) Authorize(header string, role Role) (Principal, error) {
	if l.Open() {
		return Principal{Name: "anyone", Role: role}, nil
	}
	token, ok := bearer(header)
	if !ok {
		return Principal{}, ErrNoToken
	}
	hash := sha256.Sum256([]byte(token))
	found := -1
	for i := range l.entries {
		// No early exit: how long this takes must not say which token was near.
		if subtle.ConstantTimeCompare(hash[:], l.entries[i].hash[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return Principal{}, ErrWrongToken
	}
	who := l.entries[found].who
	if !who.Role.Includes(role) {
		return who, fmt.Errorf("%w: %q is %s, and this needs %s", ErrForbidden, who.Name, who.Role, role)
	}
	return who, nil
}

// bearer returns the token of a header "Bearer TOKEN". The scheme's case does
// not matter.
func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(strings.TrimSpace(header), " ")
	token = strings.TrimSpace(token)
	if !ok || token == "" || !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	return token, true
}
