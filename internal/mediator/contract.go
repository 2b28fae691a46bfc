package mediator

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.test/eddy/phase/contract"
	"example.test/eddy/phase/contract/cel"
	"example.test/eddy/phase/wire"
)

// AddContract makes a version of a contract the current one. text is its YAML.
// A version never changes: the same text again does no harm, another one under
// the same version is refused. So is a version that permits less or more in a
// phase that a subject is in, since nobody has announced that.
func (m *Mediator) AddContract(ctx context.Context, file string, text []byte, sender string) (*contract.Contract, error) {
	c, err := contract.Parse(file, text)
	if err != nil {
		return nil, &wire.Error{Code: wire.CodeContract, Message: err.Error()}
	}
	if problems := contract.Errors(c.Lint(contract.LintOptions{CheckGuard: cel.Check})); len(problems) > 0 {
		return nil, &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("%s has %d errors, the first: %s", c.ID(), len(problems), problems[0])}
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	before := m.contracts[c.Name]
	if before != nil {
		same := before.contract.Digest() == c.Digest()
		if same && before.contract.Version == c.Version {
			return c, nil
		}
		if c.Version <= before.contract.Version {
			return nil, &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("%s: the current version is %d: give a changed contract a higher one", c.ID(), before.contract.Version)}
		}
		if err := before.accepts(c); err != nil {
			return nil, err
		}
	}
	entry, puts, drop := m.audit.next(wire.Entry{What: "contract", Contract: c.ID(), Detail: "sha256 " + c.Digest(), Sender: sender})
	puts = append(puts, Put{Key: "contract/" + c.Name, Data: text}, Put{Key: "contract/" + c.ID(), Data: text})
	_, ok, err := m.commit(ctx, nil, puts, drop...)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, unavailable(errOvertaken)
	}
	m.audit.done(entry)
	if before == nil {
		before = newContractState()
		m.contracts[c.Name] = before
	}
	before.contract, before.text = c, text
	m.inUse(c)
	return c, nil
}

// accepts refuses a new version that changes what the phases of live subjects
// permit.
func (c *contractState) accepts(next *contract.Contract) error {
	checked := make(map[contract.PhaseName]bool)
	for _, key := range slices.Sorted(maps.Keys(c.subjects)) {
		name := contract.PhaseName(c.subjects[key].record.Phase)
		if checked[name] {
			continue
		}
		checked[name] = true
		was, _ := c.contract.Phase(name)
		is, ok := next.Phase(name)
		if !ok || !maps.Equal(was.Permissions, is.Permissions) {
			return &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("%s changes what phase %s permits, and %s is in it: first announce it out of that phase", next.ID(), name, key)}
		}
	}
	return c.acceptsWaits(next)
}

// acceptsWaits refuses a version under which producers would wait for a shorter
// time than the beliefs last of consumers that run, which have the old one.
func (c *contractState) acceptsWaits(next *contract.Contract) error {
	for id := range c.consumers {
		was, _ := c.contract.Consumer(id.role)
		is, ok := next.Consumer(id.role)
		if !ok || next.Wait(is) < c.contract.Wait(was) {
			return &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("%s shortens how long role %s may believe, and %s runs with the old time: stop the consumers of that role first", next.ID(), id.role, id.name)}
		}
	}
	return nil
}

// readContracts reads the current version of every contract.
func (m *Mediator) readContracts(ctx context.Context) (map[string]*contractState, error) {
	values, _, err := m.config.State.List(ctx, "contract/")
	if err != nil {
		return nil, err
	}
	contracts := make(map[string]*contractState)
	for _, v := range values {
		name := strings.TrimPrefix(v.Key, "contract/")
		if strings.Contains(name, "@") {
			continue // an earlier version
		}
		c, err := contract.Parse(name, v.Data)
		if err != nil {
			return nil, fmt.Errorf("contract %s in the state: %w", name, err)
		}
		s := newContractState()
		s.contract, s.text = c, v.Data
		contracts[name] = s
	}
	return contracts, nil
}

func newContractState() *contractState {
	return &contractState{subjects: make(map[string]*subject), consumers: make(map[consumerID]*consumer)}
}

// Contract returns the YAML of the current version of a contract, by its name.
func (m *Mediator) Contract(ctx context.Context, name string) ([]byte, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	c, err := m.contract(name)
	if err != nil {
		return nil, err
	}
	return c.text, nil
}

// contract returns the state of a contract. The caller holds the lock.
func (m *Mediator) contract(name string) (*contractState, error) {
	if c := m.contracts[name]; c != nil {
		return c, nil
	}
	have := strings.Join(slices.Sorted(maps.Keys(m.contracts)), ", ")
	if have == "" {
		have = "none"
	}
	return nil, &wire.Error{Code: wire.CodeContract, Message: fmt.Sprintf("there is no contract %q; there is: %s", name, have)}
}

// keys returns the public keys of a contract by id.
func keys(c *contract.Contract) map[string]ed25519.PublicKey {
	byID := make(map[string]ed25519.PublicKey, len(c.Announce.Keys))
	for _, k := range c.Announce.Keys {
		if raw, err := base64.StdEncoding.DecodeString(k.PublicKey); err == nil {
			byID[k.ID] = raw
		}
	}
	return byID
}

// splitID splits name@version.
func splitID(id string) (name, version string) {
	name, version, _ = strings.Cut(id, "@")
	return name, version
}

func recordKey(contractName, key string) string { return "s/" + contractName + "/" + wire.Hash(key) }

// newID returns 16 random hexadecimal digits.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
