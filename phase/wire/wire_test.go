package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"example.test/eddy/phase/wire"
)

func signer(id string) wire.Signer {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, id)
	return wire.Signer{KeyID: id, Key: ed25519.NewKeyFromSeed(seed)}
}

func public(ids ...string) map[string]ed25519.PublicKey {
	keys := make(map[string]ed25519.PublicKey)
	for _, id := range ids {
		keys[id] = signer(id).Key.Public().(ed25519.PublicKey)
	}
	return keys
}

func announcement() wire.Announcement {
	return wire.Announcement{Contract: "drain@1", Subject: "cart/1", From: "ACTIVE", To: "DRAIN", Expected: 1}
}

// Whichever byte of an envelope is changed, its signature does not hold.
func TestASignatureHoldsForNothingElse(t *testing.T) {
	e, err := wire.Seal(announcement(), signer("a"), signer("b"))
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := e.Verify(public("a", "b", "c")); err != nil || fmt.Sprint(ids) != "[a b]" {
		t.Fatalf("Verify = %v, %v, want a and b", ids, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := e
		changed.Payload = bytes.Clone(e.Payload)
		changed.Signatures = append([]wire.Signature(nil), e.Signatures...)
		flip := byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		if rapid.Bool().Draw(t, "payload") {
			changed.Payload[rapid.IntRange(0, len(changed.Payload)-1).Draw(t, "at")] ^= flip
		} else {
			s := &changed.Signatures[rapid.IntRange(0, 1).Draw(t, "signature")]
			s.Sig = bytes.Clone(s.Sig)
			s.Sig[rapid.IntRange(0, len(s.Sig)-1).Draw(t, "at")] ^= flip
		}
		if _, err := changed.Verify(public("a", "b")); !errors.Is(err, wire.ErrSignature) {
			t.Errorf("Verify = %v, want ErrSignature", err)
		}
	})
}

func TestAnEnvelopeOfAnUnknownKeyIsRefusedWhole(t *testing.T) {
	e, err := wire.Seal(announcement(), signer("a"), signer("stranger"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Verify(public("a")); !errors.Is(err, wire.ErrSignature) {
		t.Errorf("Verify = %v, want ErrSignature", err)
	}
	if _, err := wire.Seal(announcement(), wire.Signer{KeyID: "a", Key: []byte("short")}); err == nil {
		t.Error("a key that is too short signs")
	}
}

func TestReadIsStrictAndBounded(t *testing.T) {
	for body, want := range map[string]string{
		`{"contract":"x","unknown":1}`:                             wire.CodeMalformed,
		`{"contract":"x"} {"contract":"y"}`:                        wire.CodeMalformed,
		`{"contract":`:                                             wire.CodeMalformed,
		`{"contract":"` + strings.Repeat("x", wire.MaxBody) + `"}`: wire.CodeOversized,
		`{"contract":"x","key":"y","epoch":3}`:                     "",
	} {
		var q wire.SettledRequest
		err := wire.Read(strings.NewReader(body), &q)
		code := ""
		if why, ok := errors.AsType[*wire.Error](err); ok {
			code = why.Code
		}
		if code != want || (err == nil) != (want == "") {
			t.Errorf("Read(%.40q) = %v, want %q", body, err, want)
		}
	}
}

func TestASelectorTakesAKeyOrWhatBeginsSo(t *testing.T) {
	for _, tt := range []struct {
		selector, key string
		want          bool
	}{
		{"", "shop/cart/1", true},
		{"*", "shop/cart/1", true},
		{"shop/cart/*", "shop/cart/1", true},
		{"shop/cart/*", "shop/cartoon/1", false},
		{"shop/cart/1", "shop/cart/1", true},
		{"shop/cart/1", "shop/cart/11", false},
	} {
		if got := wire.Selects(tt.selector, tt.key); got != tt.want {
			t.Errorf("Selects(%q, %q) = %v, want %v", tt.selector, tt.key, got, tt.want)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	e, err := wire.Seal(announcement(), signer("a"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	signed := bytes.Clone(e.Payload)
	f.Add(good)
	f.Add([]byte(`{"payloadType":"application/vnd.eddy.announce.v1+json","payload":"e30="}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var e wire.Envelope
		if wire.Read(bytes.NewReader(body), &e) != nil {
			return
		}
		a, err := e.Peek()
		if err == nil && (a.Subject == "" || len(a.Subject) > wire.MaxKey) {
			t.Errorf("Peek accepts the subject %q", a.Subject)
		}
		if _, err := e.Verify(public("a")); err == nil && !bytes.Equal(e.Payload, signed) {
			t.Errorf("something that was not signed verifies: %s", e.Payload)
		}
	})
}

func FuzzReadEvents(f *testing.F) {
	f.Add("id: 7\nevent: change\ndata: {\"contract\":\"drain@1\",\"key\":\"a\",\"epoch\":2}\n\n: beat\n\n")
	f.Add("data: {}\n\ndata\n\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		n := 0
		err := wire.ReadEvents(strings.NewReader(stream), func(string, wire.Record) { n++ })
		if err == nil || n > strings.Count(stream, "data") {
			t.Errorf("%d events, %v", n, err)
		}
	})
}

func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	stream := "id: 7\nevent: change\ndata: {\"key\":\"a\",\"epoch\":2}\n\n: at 9\n\nid: 8\nevent: other\ndata: 3\n\nid: 9\ndata: {\"key\":\"b\",\"epoch\":1}\n\n"
	var got []string
	err := wire.ReadEvents(strings.NewReader(stream), func(id string, r wire.Record) { got = append(got, fmt.Sprint(id, r.Key, r.Epoch)) })
	if want := "[7a2 9b1]"; fmt.Sprint(got) != want || !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v, want %s and the end", got, err, want)
	}
}
