package mediator

import (
	"strconv"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
	"example.test/eddy/phase/wire"
)

// emit tells of a subject as the SDK would: as an event with the names of package
// attr. Pairs are further attributes. The caller holds the lock.
func (m *Mediator) emit(name string, at time.Time, r wire.Record, epoch uint64, pairs ...string) {
	if m.config.Event == nil {
		return
	}
	list := []telemetry.Attribute{
		{Key: attr.PhaseContract, Value: r.Contract}, {Key: attr.PhaseSubject, Value: r.Key}, {Key: attr.PhaseEpoch, Value: strconv.FormatUint(epoch, 10)},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, telemetry.Attribute{Key: pairs[i], Value: pairs[i+1]})
	}
	m.config.Event(&telemetry.Log{Time: at, EventName: name, Attributes: telemetry.NewAttributes(list), Resource: &telemetry.Resource{Service: "eddy"}})
}

// emitAnnounced tells of a commit.
func (m *Mediator) emitAnnounced(r wire.Record, registered int, keyIDs []string) {
	m.emit(attr.EventPhaseAnnounced, r.CommittedAt, r, r.Epoch, attr.PhaseFrom, r.Previous, attr.PhaseTo, r.Phase,
		attr.PhaseRegistered, strconv.Itoa(registered), attr.PhaseKeyIDs, strings.Join(keyIDs, ","))
}

// emitAcked tells that a consumer has quiesced, by this clock, which is also that
// of the commit.
func (m *Mediator) emitAcked(r wire.Record, epoch uint64, id consumerID) {
	m.emit(attr.EventPhaseAcked, time.Now(), r, epoch, attr.PhaseRole, id.role, attr.ConsumerID, id.name)
}
