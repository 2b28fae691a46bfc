package mediator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase/wire"
)

// Each of these is one thing that is wrong with an announcement that would have
// been committed.
func TestWhatIsRefusedIsNamedInTheAuditLogAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		<-time.After(time.Minute)
		good := f.announcement("CANARY", "FLAG_OFF", 1)
		replayed := f.seal(f.announcement("FLAG_OFF", "CANARY", 0), "controller")
		tests := []struct {
			name, code string
			envelope   func() wire.Envelope
		}{
			{"changed after it was signed", wire.CodeBadSignature, func() wire.Envelope {
				e := f.seal(good, "controller")
				e.Payload = []byte(strings.Replace(string(e.Payload), "flags/rounding", "flags/payments", 1))
				return e
			}},
			{"signed by nobody", wire.CodeBadSignature, func() wire.Envelope { return f.seal(good) }},
			{"signed with a key that is not in the contract", wire.CodeBadSignature, func() wire.Envelope { return f.seal(good, "stranger") }},
			{"signed twice by one key", wire.CodeBadSignature, func() wire.Envelope { return f.seal(good, "controller", "controller") }},
			{"signed with another key's id", wire.CodeBadSignature, func() wire.Envelope {
				e := f.seal(good, "controller")
				e.Signatures[0].Sig[0] ^= 1
				return e
			}},
			{"with a key that has expired", wire.CodeKeyExpired, func() wire.Envelope { return f.seal(good, "former") }},
			{"with a key that is not valid yet", wire.CodeKeyExpired, func() wire.Envelope { return f.seal(good, "coming") }},
			{"of a subject that is not the key's", wire.CodeNotAllowed, func() wire.Envelope { return f.seal(good, "intern") }},
			{"of a phase that is not the key's", wire.CodeNotAllowed, func() wire.Envelope { return f.seal(good, "canary") }},
			{"of a phase that is not the role's", wire.CodeNotAllowed, func() wire.Envelope {
				a := f.announcement("CANARY", "FLAG_ON", 1)
				return f.seal(a, "intern")
			}},
			{"replayed", wire.CodeEpochMismatch, func() wire.Envelope { return replayed }},
			{"out of order", wire.CodeEpochMismatch, func() wire.Envelope {
				a := good
				a.Expected = 2
				return f.seal(a, "controller")
			}},
			{"from a phase that it is not in", wire.CodeEpochMismatch, func() wire.Envelope {
				a := good
				a.From = "FLAG_ON"
				return f.seal(a, "controller")
			}},
			{"of a step that the contract does not have", wire.CodeTransition, func() wire.Envelope {
				return f.seal(f.announcement("CANARY", "CANARY", 1), "controller")
			}},
			{"for another mediator", wire.CodeAudience, func() wire.Envelope {
				a := good
				a.Audience = "staging"
				return f.seal(a, "controller")
			}},
			{"of another version of the contract", wire.CodeContract, func() wire.Envelope {
				a := good
				a.Digest = strings.Repeat("0", 64)
				return f.seal(a, "controller")
			}},
			{"of an unknown contract", wire.CodeContract, func() wire.Envelope {
				a := good
				a.Contract = "none@1"
				return f.seal(a, "controller")
			}},
			{"used too late", wire.CodeStale, func() wire.Envelope {
				a := good
				a.IssuedAt, a.NotAfter = a.IssuedAt.Add(-time.Hour), a.NotAfter.Add(-time.Hour)
				return f.seal(a, "controller")
			}},
			{"signed in the future", wire.CodeStale, func() wire.Envelope {
				a := good
				a.IssuedAt = a.IssuedAt.Add(time.Hour)
				return f.seal(a, "controller")
			}},
			{"with a guard that does not hold", wire.CodeGuardFalse, func() wire.Envelope {
				return f.seal(f.announcement("CANARY", "FLAG_ON", 1), "controller")
			}},
			{"that is not JSON", wire.CodeMalformed, func() wire.Envelope {
				return wire.Envelope{PayloadType: wire.PayloadType, Payload: []byte("{")}
			}},
			{"of another type", wire.CodeMalformed, func() wire.Envelope {
				e := f.seal(good, "controller")
				e.PayloadType = "text/plain"
				return e
			}},
		}
		before := f.records()
		for _, tt := range tests {
			<-time.After(time.Second) // refusals are bounded per second
			_, err := f.Announce(t.Context(), tt.envelope(), "mallory", false)
			if code(err) != tt.code {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
			}
			log := f.audit()
			if last := log[len(log)-1]; last.What != "refused" || last.Code != tt.code || last.Sender != "mallory" {
				t.Errorf("%s: the audit log ends with %s %s by %q, want refused %s", tt.name, last.What, last.Code, last.Sender, tt.code)
			}
		}
		if diff := cmp.Diff(before, f.records()); diff != "" {
			t.Errorf("what is committed has changed (-before +after):\n%s", diff)
		}
		if err := wire.VerifyChain(f.audit()); err != nil {
			t.Error(err)
		}
		good.IssuedAt, good.NotAfter = time.Now(), time.Now().Add(time.Minute)
		if _, err := f.announce(good); err != nil {
			t.Errorf("the announcement that all of these were made from: %v", err)
		}
	})
}

func TestAnOversizedAnnouncementIsRefusedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		body := `{"payloadType":"` + strings.Repeat("x", wire.MaxBody) + `"}`
		w := httptest.NewRecorder()
		f.Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodPost, wire.PathAnnounce, strings.NewReader(body)))
		log := f.audit()
		if last := log[len(log)-1]; w.Code != http.StatusRequestEntityTooLarge || last.Code != wire.CodeOversized {
			t.Errorf("%d %s, and the audit log ends with %+v, want 413 and oversized", w.Code, w.Body, last)
		}
	})
}

func TestAFloodOfForgeriesDoesNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		before := len(f.audit())
		for range 500 {
			_, _ = f.Announce(t.Context(), f.seal(f.announcement("FLAG_OFF", "CANARY", 0), "stranger"), "mallory", false)
		}
		if n := len(f.audit()) - before; n > 20 {
			t.Errorf("%d entries for 500 forgeries in one second, want at most 20", n)
		}
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		unlogged := uint64(0)
		for _, e := range f.audit() {
			unlogged += e.Unlogged
		}
		if unlogged != 480 {
			t.Errorf("%d refusals are counted, want the other 480", unlogged)
		}
	})
}

func TestEpochsAreDenseAndOneOfTwoThatRaceWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		const racers = 8
		results := make(chan error, racers)
		for range racers {
			go func() {
				_, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0))
				results <- err
			}()
		}
		won := 0
		for range racers {
			if err := <-results; err == nil {
				won++
			} else if code(err) != wire.CodeEpochMismatch {
				t.Errorf("a racer gets %v, want epoch_mismatch", err)
			}
		}
		if r := f.records(); won != 1 || len(r) != 1 || r[0].Epoch != 1 {
			t.Errorf("%d won, records %v, want one, at epoch 1", won, r)
		}
	})
}

func TestNothingIsAnnouncedBeforeTheLastOneHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		<-time.After(time.Minute)
		if _, err := f.announce(f.announcement("FLAG_OFF", "CANARY", 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 1)); code(err) != wire.CodeNotSettled {
			t.Errorf("before it is in force: %v, want not_settled", err)
		}
		enforced := wire.Enforced{Contract: "flag", Key: "flags/rounding", Epoch: 1}
		if _, err := f.Enforced(t.Context(), enforced, "test"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 1)); code(err) != wire.CodeNotSettled {
			t.Errorf("while older beliefs can last: %v, want not_settled", err)
		}
		<-time.After(1319 * time.Millisecond) // 900ms and two per cent, and 400ms
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 1)); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestDwellKeepsASubjectInAPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		<-time.After(9 * time.Second)
		reviewed := func() wire.Announcement {
			a := f.announcement("CANARY", "FLAG_ON", 1)
			a.Facts.Request = map[string]bool{"reviewed": true}
			return a
		}
		if _, err := f.announce(reviewed()); code(err) != wire.CodeDwell {
			t.Errorf("after 9s of 10s: %v, want dwell", err)
		}
		<-time.After(time.Second)
		if _, err := f.announce(reviewed()); err != nil {
			t.Error(err)
		}
	})
}

func TestASignalMustHoldAndAnOperatorNeedNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		<-time.After(time.Minute)
		signal := func() wire.Receipt {
			t.Helper()
			a := f.announcement("CANARY", "FLAG_OFF", 1)
			a.Signal = true
			r, err := f.announce(a)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := signal(); r.Pending == "" || f.records()[0].Epoch != 1 {
			t.Errorf("the first signal is committed: %+v", r)
		}
		<-time.After(time.Minute) // it has lapsed
		if r := signal(); r.Pending == "" {
			t.Error("a signal that was gone for a minute counts as having held")
		}
		<-time.After(2 * time.Second)
		if r := signal(); r.Pending != "" || r.Epoch != 2 {
			t.Errorf("a signal that held for two seconds: %+v, want epoch 2", r)
		}
	})
}

func TestASubjectThatFlapsIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		names := []string{"FLAG_OFF", "CANARY"}
		for epoch := range uint64(3) {
			f.commit(f.announcement(names[epoch%2], names[(epoch+1)%2], epoch))
			<-time.After(time.Minute)
		}
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 3)); code(err) != wire.CodeHeld {
			t.Errorf("after two steps back: %v, want held", err)
		}
		<-time.After(time.Hour)
		if _, err := f.announce(f.announcement("CANARY", "FLAG_OFF", 3)); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
}

func TestTwoKeysMustSignWhereTheContractSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		yaml := strings.Replace(string(text(t, "flag")), "quorum: 1", "quorum: 2", 1)
		yaml = strings.Replace(yaml, "version: 1,", "version: 2,", 1)
		c, err := f.AddContract(t.Context(), "flag", []byte(yaml), "test")
		if err != nil {
			t.Fatal(err)
		}
		f.contract = c
		a := f.announcement("FLAG_OFF", "CANARY", 0)
		r, err := f.announce(a)
		if err != nil || r.Pending == "" || len(f.records()) != 0 {
			t.Errorf("with one key: %+v, %v, want pending", r, err)
		}
		if r, err := f.announce(a); err != nil || r.Pending == "" {
			t.Errorf("with the same key again: %+v, %v, want pending", r, err)
		}
		r, err = f.Announce(t.Context(), f.seal(a, "canary"), "test", false)
		if err != nil || r.Epoch != 1 {
			t.Errorf("with the second key: %+v, %v, want epoch 1", r, err)
		}
		log := f.audit()
		if got := fmt.Sprint(log[len(log)-1].KeyIDs); got != "[canary controller]" {
			t.Errorf("the audit log names %s, want both keys", got)
		}
	})
}

func TestADryRunSaysWhatWouldHappenAndWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		before := f.audit()
		if _, err := f.Announce(t.Context(), f.seal(f.announcement("FLAG_OFF", "CANARY", 0), "controller"), "test", true); err != nil {
			t.Error(err)
		}
		if _, err := f.Announce(t.Context(), f.seal(f.announcement("FLAG_OFF", "CANARY", 7), "controller"), "test", true); code(err) != wire.CodeEpochMismatch {
			t.Errorf("%v, want epoch_mismatch", err)
		}
		if len(f.records()) != 0 || len(f.audit()) != len(before) {
			t.Error("a dry run has left something")
		}
	})
}

func TestAContractInUseIsChangedOnlyWhereNobodyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, &mediator.Memory{}, "flag")
		f.commit(f.announcement("FLAG_OFF", "CANARY", 0))
		version := func(n int, change ...string) error {
			yaml := strings.Replace(string(text(t, "flag")), "version: 1,", fmt.Sprintf("version: %d,", n), 1)
			yaml = strings.NewReplacer(change...).Replace(yaml)
			_, err := f.AddContract(t.Context(), "flag", []byte(yaml), "test")
			return err
		}
		if err := version(1); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if err := version(1, "atMost: 2s", "atMost: 3s"); code(err) != wire.CodeContract {
			t.Errorf("another content under the same version: %v, want a refusal", err)
		}
		if err := version(2, "name: CANARY,   order: 1, permissions: {write_v1: allow", "name: CANARY,   order: 1, permissions: {write_v1: grace"); code(err) != wire.CodeContract {
			t.Errorf("other permissions of a phase that a subject is in: %v, want a refusal", err)
		}
		if _, err := confirm(f, "eu"); err != nil {
			t.Fatal(err)
		}
		if err := version(2, "beliefTTL: 900ms", "beliefTTL: 600ms", "confirmEvery: 300ms", "confirmEvery: 200ms"); code(err) != wire.CodeContract {
			t.Errorf("shorter beliefs than those of a consumer that runs: %v, want a refusal", err)
		}
		if err := version(2, "atMost: 2s", "atMost: 3s"); err != nil {
			t.Errorf("a change that concerns no live phase: %v", err)
		}
	})
}
