package sim

import "time"

// A Stream takes messages from those that call it and hands them to a service,
// partition by partition and in each one after the other. A call to it is over
// when the message is kept. A message is handed over along the edge from the
// stream to the service, by its policy; it carries a trace of its own, linked to
// that of the sender.
type Stream struct {
	ID         string
	System     string // messaging.system: "kafka"
	To         string // the service that takes the messages
	Partitions int    // 1. A message goes to that of its key
	Keys       Keys   // which key a message is about
	Publish    Dist   // how long it takes to keep one
	Bound      int    // messages in a partition; more are refused. 0: no bound
	Ack        Ack    // after
	// MaxDeliveries is how often a message is handed over before it goes to the
	// dead letters: 0, without end. RedeliverAfter is how long it waits in between:
	// 100 ms.
	MaxDeliveries  int
	RedeliverAfter time.Duration
	// Rebalance is how long nothing is handed over after an instance of the service
	// has come or gone. What was under way then is handed over again.
	Rebalance time.Duration
	// Idempotent consumers do nothing for a message that they have seen.
	Idempotent bool
}

// Ack says when a message is done with.
type Ack string

// Acks.
const (
	AckAfter  Ack = "after"  // when it was worked on: it may be worked on twice
	AckBefore Ack = "before" // when it is handed over: it may be lost
)

func (v *validation) stream(s *Stream) {
	v.name("stream", s.ID)
	where := "stream " + s.ID
	if v.names[s.To] != "service" {
		v.wrong(where, "to %q: no service has this id", s.To)
	}
	v.atLeast0(where, "partitions, bound, max_deliveries, redeliver_after, rebalance", float64(s.Partitions), float64(s.Bound),
		float64(s.MaxDeliveries), float64(s.RedeliverAfter), float64(s.Rebalance))
	v.check(where, "keys", s.Keys.validate())
	v.check(where, "publish", s.Publish.validate())
	oneOf(v, where, "ack", s.Ack, AckAfter, AckBefore)
}

// set gives a parameter a value.
func (s *Stream) set(param string, v any) error {
	switch param {
	case "publish":
		return asDist(param, v, &s.Publish)
	case "bound":
		return asInt(param, v, &s.Bound)
	case "ack":
		return asText(param, v, &s.Ack)
	case "max_deliveries":
		return asInt(param, v, &s.MaxDeliveries)
	case "redeliver_after":
		return asDuration(param, v, &s.RedeliverAfter)
	case "rebalance":
		return asDuration(param, v, &s.Rebalance)
	case "idempotent":
		return asBool(param, v, &s.Idempotent)
	}
	return unknownParam(param, "stream", "publish", "bound", "ack", "max_deliveries", "redeliver_after", "rebalance", "idempotent")
}
