// Package wire is what producers, consumers and the mediator say to each other.
//
// It is HTTP and JSON, and server-sent events for news, so that another
// language needs no more than those. An announcement travels in an Envelope
// that is signed with Ed25519, in the format of DSSE: the signature is over the
// raw bytes, so nobody has to agree on how JSON is written. Everything in it is
// signed, also the epoch that it expects to replace: an announcement that is
// replayed or comes too late meets another epoch, and is refused.
//
// What arrives is read with bounds: MaxBody for all bodies, MaxKey for keys of
// subjects. The package does no input or output.
package wire

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// PayloadType is what an Envelope holds.
const PayloadType = "application/vnd.eddy.announce.v1+json"

// MaxBody and MaxKey bound what is read of a message and of a subject's key, in
// bytes. MaxSignatures bounds how many keys may sign.
const (
	MaxBody       = 64 << 10
	MaxKey        = 512
	MaxSignatures = 8
)

// ErrSignature says that an envelope is not signed as it should be.
var ErrSignature = errors.New("signature")

// An Announcement asks to commit a phase.
type Announcement struct {
	// Audience is the mediator that it is meant for, by its cluster name.
	Audience string `json:"aud"`
	// Contract is name@version, and Digest that of the version, so that a
	// contract that was changed on the way is noticed.
	Contract string `json:"contract"`
	Digest   string `json:"contract_sha256"`
	// Subject is the key of what changes its phase From one To another.
	Subject string `json:"subject"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Expected is the epoch that this one replaces; the next is one more.
	Expected uint64 `json:"expected_epoch"`
	// Token is the fencing token of the lease, for phases that have one holder.
	Token uint64 `json:"fence_token,omitempty"`
	// IssuedAt and NotAfter are when it was signed and when it is too late.
	IssuedAt time.Time `json:"issued_at"`
	NotAfter time.Time `json:"not_after"`
	// Reason and Deployment are for people, and for the audit log.
	Reason     string `json:"reason,omitempty"`
	Deployment string `json:"deployment_id,omitempty"`
	// Urgent passes over debounce and dwell where the transition allows it.
	Urgent bool `json:"urgent,omitempty"`
	// Signal marks a request of a probe or a metric, which is debounced; without
	// it the request is an operator's or a program's.
	Signal bool `json:"signal,omitempty"`
	// Facts are what the guard of the transition may read of the sender.
	Facts Facts `json:"facts,omitzero"`
}

// Facts are what a producer states about itself, for guards.
type Facts struct {
	// Inflight is how many requests it has begun and not finished.
	Inflight int `json:"inflight,omitempty"`
	// Sealed says that the resource has met the token of the lease.
	Sealed bool `json:"sealed,omitempty"`
	// Request and Probe are statements by name, as ddl_applied or ready.
	Request map[string]bool `json:"request,omitempty"`
	Probe   map[string]bool `json:"probe,omitempty"`
	// Metrics are figures by name, measured by the sender when it signed.
	Metrics map[string]float64 `json:"metrics,omitempty"`
}

// An Envelope is a signed announcement.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // base64 in JSON
	Signatures  []Signature `json:"signatures"`
}

// A Signature is over PAE(payloadType, payload), as DSSE has it.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// A Signer signs announcements with one key.
type Signer struct {
	KeyID string
	Key   ed25519.PrivateKey
}

// Seal signs a with all signers.
func Seal(a Announcement, signers ...Signer) (Envelope, error) {
	payload, err := json.Marshal(a)
	if err != nil {
		return Envelope{}, fmt.Errorf("announcement: %w", err)
	}
	e := Envelope{PayloadType: PayloadType, Payload: payload}
	for _, s := range signers {
		if len(s.Key) != ed25519.PrivateKeySize {
			return Envelope{}, fmt.Errorf("key %q: %d bytes: want %d of an Ed25519 private key", s.KeyID, len(s.Key), ed25519.PrivateKeySize)
		}
		e.Signatures = append(e.Signatures, Signature{KeyID: s.KeyID, Sig: ed25519.Sign(s.Key, pae(payload))})
	}
	return e, nil
}

// Peek reads the announcement and trusts nothing about it: it says which
// contract has the keys to check the envelope with.
func (e Envelope) Peek() (Announcement, error) {
	if e.PayloadType != PayloadType {
		return Announcement{}, fmt.Errorf("payload type %q: want %s", e.PayloadType, PayloadType)
	}
	var a Announcement
	if err := decode(e.Payload, &a); err != nil {
		return Announcement{}, fmt.Errorf("announcement: %w", err)
	}
	switch {
	case a.Contract == "" || a.Subject == "" || a.From == "" || a.To == "":
		return Announcement{}, errors.New("announcement: contract, subject, from and to must be given")
	case len(a.Subject) > MaxKey:
		return Announcement{}, fmt.Errorf("announcement: subject of %d bytes: want at most %d", len(a.Subject), MaxKey)
	}
	return a, nil
}

// Verify checks every signature with the keys by id, and returns the ids of
// those that signed, sorted. A signature that does not hold refuses the whole
// envelope, and so does one of an unknown key: someone meant to have it counted.
func (e Envelope) Verify(keys map[string]ed25519.PublicKey) ([]string, error) {
	switch n := len(e.Signatures); {
	case n == 0:
		return nil, fmt.Errorf("%w: none", ErrSignature)
	case n > MaxSignatures:
		return nil, fmt.Errorf("%w: %d of them: want at most %d", ErrSignature, n, MaxSignatures)
	}
	signed := pae(e.Payload)
	var ids []string
	for _, s := range e.Signatures {
		key, ok := keys[s.KeyID]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: the contract has no key %q", ErrSignature, s.KeyID)
		case slices.Contains(ids, s.KeyID):
			return nil, fmt.Errorf("%w: key %q signed twice", ErrSignature, s.KeyID)
		case len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, signed, s.Sig):
			return nil, fmt.Errorf("%w: not made with key %q over this content", ErrSignature, s.KeyID)
		}
		ids = append(ids, s.KeyID)
	}
	slices.Sort(ids)
	return ids, nil
}

// pae is DSSE's pre-authentication encoding of an announcement.
func pae(payload []byte) []byte {
	head := "DSSEv1 " + strconv.Itoa(len(PayloadType)) + " " + PayloadType + " " + strconv.Itoa(len(payload)) + " "
	return append([]byte(head), payload...)
}
