package access

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// minToken is the shortest token that is accepted. 16 characters of a random
// alphabet cannot be guessed over a network; shorter ones are passwords.
const minToken = 16

// hashPrefix marks a token that is given by its hash.
const hashPrefix = "sha256:"

// A Token lets its bearer act in a role.
type Token struct {
	// Name says whose token it is. It stands in the audit.
	Name string `yaml:"name"`
	Role Role   `yaml:"role"`
	// Token is the token itself, at least 16 characters without spaces, or
	// "sha256:" and the 64 hexadecimal digits of its hash.
	Token string `yaml:"token"`
}

// Validate says which field is wrong, and never repeats the token.
func (t Token) Validate() error {
	if t.Name == "" {
		return errors.New("name: missing; it stands in the audit")
	}
	if err := t.Role.Validate(); err != nil {
		return fmt.Errorf("%q: %w", t.Name, err)
	}
	if _, err := t.hash(); err != nil {
		return err
	}
	return nil
}

func (t Token) hash() ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	if digits, ok := strings.CutPrefix(t.Token, hashPrefix); ok {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) != len(sum) {
			return sum, fmt.Errorf("%q: token: want 64 hexadecimal digits after %q", t.Name, hashPrefix)
		}
		copy(sum[:], raw)
		return sum, nil
	}
	if len(t.Token) < minToken || strings.ContainsAny(t.Token, " \t\r\n") {
		return sum, fmt.Errorf("%q: token: want at least %d characters without spaces; make one with: openssl rand -hex 24", t.Name, minToken)
	}
	return sha256.Sum256([]byte(t.Token)), nil
}

// Read reads a list of tokens: one "NAME ROLE TOKEN" a line. Empty lines and
// lines that begin with # are skipped. Errors name the line.
func Read(r io.Reader) ([]Token, error) {
	var tokens []Token
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("line %d: %d words: want NAME ROLE TOKEN", n, len(fields))
		}
		t := Token{Name: fields[0], Role: Role(fields[1]), Token: fields[2]}
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		tokens = append(tokens, t)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return tokens, nil
}

// ReadFile reads the tokens of a file, as Read does. A file that others than
// its owner and group can read is refused.
func ReadFile(path string) ([]Token, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("token file %s: mode %04o: others can read it; run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	tokens, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("token file %s: %w", path, err)
	}
	return tokens, nil
}
