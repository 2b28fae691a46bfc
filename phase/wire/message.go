package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// The paths of the mediator, below its address.
const (
	PathAnnounce  = "/api/v1/phase/announce"  // POST Envelope, answers Receipt; with ?dry_run=true nothing is committed
	PathSettled   = "/api/v1/phase/settled"   // POST SettledRequest, answers Settled when that has grown, or at the bound
	PathEnforced  = "/api/v1/phase/enforced"  // POST Enforced, answers Reported
	PathConfirm   = "/api/v1/phase/confirm"   // POST ConfirmRequest, answers Confirm
	PathWatch     = "/api/v1/phase/watch"     // GET ?contract=&select=, server-sent events
	PathSubjects  = "/api/v1/phase/subjects"  // GET ?contract=&select=, answers {subjects: []Standing}
	PathAudit     = "/api/v1/phase/audit"     // GET ?after=&subject=, answers []Entry
	PathLease     = "/api/v1/phase/lease/"    // POST LeaseRequest to acquire, renew or resign, answers LeaseState
	PathContracts = "/api/v1/phase/contracts" // GET /name, answers YAML; POST YAML
)

// Hash is how a subject is named in headers: the first 16 hexadecimal digits of
// the SHA-256 of its key.
func Hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// Selects reports whether a selector takes a key: it is the key itself, or a
// prefix of it and "*". The empty selector takes all.
func Selects(selector, key string) bool {
	if prefix, ok := strings.CutSuffix(selector, "*"); ok || selector == "" {
		return strings.HasPrefix(key, prefix)
	}
	return selector == key
}

// A Record is what the mediator has committed about a subject. A subject that
// was never announced has no record: it is in its contract's initial phase, at
// epoch 0.
type Record struct {
	Contract string `json:"contract"` // name@version
	Key      string `json:"key"`
	Phase    string `json:"phase"`
	Previous string `json:"previous"`
	Epoch    uint64 `json:"epoch"`
	// Enforced is the latest epoch that the producer has reported to be in force.
	// While it is less than Epoch, the previous phase may be the actual one.
	Enforced    uint64    `json:"enforced_epoch"`
	CommittedAt time.Time `json:"committed_at"`
	// Token is that of the lease under which it was announced, if there was one.
	Token    uint64    `json:"fence_token,omitempty"`
	Revision int64     `json:"revision"`
	Envelope *Envelope `json:"envelope,omitempty"`
}

// A Standing is a record, with what is not as it should be.
type Standing struct {
	Record
	Troubles []Trouble `json:"troubles,omitempty"`
}

// A Trouble is what people should look into.
type Trouble struct {
	// Cause is one of the causes below.
	Cause string    `json:"cause"`
	Since time.Time `json:"since"`
	// Attempts is how often the mediator has asked, and Stuck that it gave up.
	Attempts int  `json:"attempts,omitempty"`
	Stuck    bool `json:"stuck,omitempty"`
	// Flips is how often the subject went back and forth within the contract's
	// window, and HeldUntil when it may move again, if it is held.
	Flips     int        `json:"flips,omitempty"`
	HeldUntil *time.Time `json:"held_until,omitempty"`
	Detail    string     `json:"detail"`
}

// The causes of Trouble.
const (
	CauseNotEnforced = "not_enforced" // announced, and not reported in force in time
	CauseOrphan      = "orphan"       // in an exclusive phase, whose lease has ended
	CauseFlapping    = "flapping"     // went back and forth more often than allowed
)

// A Receipt is the answer to an announcement that was committed.
type Receipt struct {
	Epoch       uint64    `json:"epoch"`
	Revision    int64     `json:"revision"`
	CommittedAt time.Time `json:"committed_at"`
	Registered  int       `json:"registered"` // consumers that will acknowledge
	// Pending says that it was not committed yet, and why: another key has to
	// sign, or the signal has to hold.
	Pending string `json:"pending,omitempty"`
}

// SettledRequest asks to be told how far an epoch is acknowledged, when that is
// more than the sender knows.
type SettledRequest struct {
	Contract string `json:"contract"`
	Key      string `json:"key"`
	Epoch    uint64 `json:"epoch"`
	// Applied and Quiesced are what the sender knows.
	Applied  int `json:"applied,omitempty"`
	Quiesced int `json:"quiesced,omitempty"`
	// Within is how long the mediator may keep the question, in milliseconds.
	Within int64 `json:"within_ms"`
}

// Settled says how many consumers have acknowledged an epoch.
type Settled struct {
	Registered int `json:"registered"`
	Applied    int `json:"applied"`
	Quiesced   int `json:"quiesced"`
	// Missing are up to twenty that have not quiesced.
	Missing []string `json:"missing,omitempty"`
}

// Enforced reports that an epoch is in force, at once and then every now and
// again: the mediator tells from that who is alive, and a report that was lost is
// made good.
type Enforced struct {
	Contract string `json:"contract"`
	Key      string `json:"key"`
	Epoch    uint64 `json:"epoch"`
	Cause    string `json:"cause,omitempty"` // acks, bound or none; empty in later reports
}

// Reported is the answer: what is announced, and when to report again.
type Reported struct {
	Epoch uint64 `json:"epoch"`
	Again int64  `json:"again_ms"`
}

// ConfirmRequest asks for everything newer than Have, of the subjects that the
// consumer watches, and carries its acknowledgements. It also registers the
// consumer: whoever has a belief has sent one.
type ConfirmRequest struct {
	Consumer string `json:"consumer"`
	Role     string `json:"role"`
	Contract string `json:"contract"` // name
	Selector string `json:"select"`
	// Have is the revision of the last Confirm; 0 asks for everything.
	Have int64 `json:"have"`
	// Reads and Writes are the versions that this consumer can read and write.
	Reads  []string `json:"version_reads,omitempty"`
	Writes []string `json:"version_writes,omitempty"`
	Acks   []Ack    `json:"acks,omitempty"`
	// Leaving ends the registration: the consumer acts no more.
	Leaving bool `json:"leaving,omitempty"`
}

// An Ack says how far a consumer is with the news of a subject. Only a growing
// epoch counts, so an acknowledgement may be sent twice or late.
type Ack struct {
	Key string `json:"key"`
	// Applied is the epoch that it believes in, Quiesced the highest under whose
	// predecessors it has nothing open any more.
	Applied  uint64 `json:"applied,omitempty"`
	Quiesced uint64 `json:"quiesced,omitempty"`
}

// A Confirm holds what is committed, as of a read that began after the request
// had arrived.
type Confirm struct {
	Revision int64    `json:"revision"`
	Changed  []Record `json:"changed,omitempty"`
	// Full says that Changed is everything, not what changed since Have.
	Full bool `json:"full,omitempty"`
	// Registration changes when the mediator has forgotten the consumer meanwhile,
	// and with it what it had acknowledged.
	Registration string `json:"registration"`
	// AckWithin is over how many milliseconds consumers should spread what they
	// acknowledge next, since there are many of them.
	AckWithin int64 `json:"ack_within_ms,omitempty"`
}

// LeaseRequest is about the lease of a subject. The path ends in what to do.
type LeaseRequest struct {
	Contract string `json:"contract"`
	Key      string `json:"key"`
	Holder   string `json:"holder"`
	// Token names the tenure to renew or resign.
	Token uint64 `json:"token,omitempty"`
}

// LeaseState is the answer: who holds the lease.
type LeaseState struct {
	Holder string `json:"holder"`
	// Token is that of the asker's tenure, 0 if another holds it.
	Token uint64 `json:"token"`
	TTL   int64  `json:"ttl_ms"`
}

// An Entry of the audit log holds the hash of the one before it, so that none
// can be changed or left out unnoticed.
type Entry struct {
	Sequence uint64    `json:"sequence"`
	Time     time.Time `json:"time"`
	What     string    `json:"what"` // committed, refused, pending, enforced, lease or contract
	Code     string    `json:"code,omitempty"`
	Contract string    `json:"contract,omitempty"`
	Key      string    `json:"key,omitempty"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to,omitempty"`
	Epoch    uint64    `json:"epoch,omitempty"`
	Token    uint64    `json:"token,omitempty"`
	KeyIDs   []string  `json:"key_ids,omitempty"`
	Sender   string    `json:"sender,omitempty"` // by its token to the server
	Detail   string    `json:"detail,omitempty"`
	// Unlogged is how many refusals before this entry were counted only.
	Unlogged uint64 `json:"unlogged,omitempty"`
	Previous string `json:"previous"` // the hash of the entry before
	Hash     string `json:"hash"`     // of this one, with Hash empty
}

// Sum is what Hash must be: the SHA-256 of the entry as JSON without its hash.
func (e Entry) Sum() string {
	e.Hash = ""
	text, err := json.Marshal(e)
	if err != nil {
		panic("BUG: audit entry as JSON: " + err.Error()) // it holds nothing that JSON cannot
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// VerifyChain checks that entries follow each other and none was changed. The
// first one is believed, since what came before it may have been pruned.
func VerifyChain(entries []Entry) error {
	for i, e := range entries {
		if e.Sum() != e.Hash {
			return fmt.Errorf("entry %d was changed: its content does not have its hash", e.Sequence)
		}
		if i == 0 {
			continue
		}
		before := entries[i-1]
		if e.Sequence != before.Sequence+1 {
			return fmt.Errorf("entry %d is followed by %d: %d are missing", before.Sequence, e.Sequence, e.Sequence-before.Sequence-1)
		}
		if e.Previous != before.Hash {
			return fmt.Errorf("entry %d does not follow the entry %d that is here", e.Sequence, before.Sequence)
		}
	}
	return nil
}

// An Error is why something was refused.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Current is the subject's record, where another one was expected.
	Current *Record `json:"current,omitempty"`
}

// The codes of Error, which are also those of the audit log.
const (
	CodeMalformed     = "malformed"      // it cannot be read
	CodeOversized     = "oversized"      // it is larger than MaxBody
	CodeContract      = "contract"       // unknown, another version, or another content
	CodeAudience      = "audience"       // it is for another mediator
	CodeBadSignature  = "bad_signature"  // forged, changed, or of an unknown key
	CodeKeyExpired    = "key_expired"    // the key is not valid now
	CodeStale         = "stale"          // it was issued too long ago, or too far ahead
	CodeNotAllowed    = "not_allowed"    // the key may not announce this
	CodeTransition    = "transition"     // the contract has no such transition
	CodeEpochMismatch = "epoch_mismatch" // replayed, out of order, or overtaken
	CodeNotSettled    = "not_settled"    // the change before may still be on its way
	CodeDwell         = "dwell"          // too soon after the last change
	CodeHeld          = "held"           // the subject flapped and is held
	CodeGuardFalse    = "guard_false"    // the guard does not hold, or could not be told
	CodeFenceStale    = "fence_stale"    // the sender does not hold the lease
	CodeTooMany       = "too_many"       // a bound is reached; try again later
	CodeNotActive     = "not_active"     // another replica is the mediator now
	CodeUnavailable   = "unavailable"    // the store does not answer
)

// Error says what was refused and why.
func (e *Error) Error() string { return e.Message + " (" + e.Code + ")" }

// Read decodes a JSON body of at most MaxBody bytes, strictly. The error is an
// *Error.
func Read(body io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	if err != nil {
		return &Error{Code: CodeMalformed, Message: "read body: " + err.Error()}
	}
	if len(text) > MaxBody {
		return &Error{Code: CodeOversized, Message: fmt.Sprintf("body is larger than %d bytes", MaxBody)}
	}
	if err := decode(text, v); err != nil {
		return &Error{Code: CodeMalformed, Message: "body: " + err.Error()}
	}
	return nil
}

// decode reads one JSON value and nothing else.
func decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
