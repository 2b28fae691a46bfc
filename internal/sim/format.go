package sim

import (
	"slices"
	"strings"
)

// A DataFormat is how a service reads what others write: versions of a protocol, of a
// schema, of an encoding. Who calls, and who sent a message, says in which format
// (Speaks); the callee says which it understands.
type DataFormat struct {
	Reads string // those that it understands, with spaces between, its own first; "": all
	// Lenient takes what it does not understand for something else, without an
	// error: a silent harm.
	Lenient bool
	// Translate is how much more work a format is that it understands and that is
	// not its own.
	Translate Dist
}

// set gives a parameter a value, if it is one of a format.
func (f *DataFormat) set(param string, v any) (known bool, err error) {
	switch param {
	case "format.reads":
		return true, asText(param, v, &f.Reads)
	case "format.lenient":
		return true, asBool(param, v, &f.Lenient)
	case "format.translate":
		return true, asDist(param, v, &f.Translate)
	}
	return false, nil
}

// formatParams are the parameters of a DataFormat, for messages.
const formatParams = "format.reads, format.lenient, format.translate"

// A reader is a DataFormat made ready.
type reader struct {
	reads     []string
	translate sampler
	misread   *int // counts what a lenient one took wrongly
}

func (f *DataFormat) reader(s *Sim, id string) reader {
	r := reader{reads: strings.Fields(f.Reads), translate: newSampler(f.Translate)}
	if f.Lenient {
		r.misread = s.harm(id + " misread")
	}
	return r
}

// speech is the format in which a frame was asked.
func (s *Sim) speech(f *frame, q *request) string {
	switch {
	case f.from != none:
		t := s.stations[f.from]
		if v, ok := t.owner.(*service); ok {
			return v.specs[t.instance].Speaks
		}
		return ""
	case q.message > 0:
		return s.nodes[q.stream].(*stream).messages.at(q.message - 1).speaks
	}
	return s.workloads[q.workload].spec.Speaks
}

// A reading is what comes of reading a frame in a format.
type reading uint8

const (
	readWell reading = iota
	readTranslated
	readWrong
	readNot
)

func (r *reader) read(speech string) reading {
	switch i := slices.Index(r.reads, speech); {
	case len(r.reads) == 0 || speech == "" || i == 0:
		return readWell
	case i > 0:
		return readTranslated
	case r.misread != nil:
		return readWrong
	}
	return readNot
}

// takes reads what a frame asks of a node, and reports whether it goes on: it may
// have failed, or work on to translate.
func (r *reader) takes(t *station, j int32, node int) bool {
	s := t.sim
	f := s.frames.at(j)
	q := s.requests.at(f.req)
	switch r.read(s.speech(f, q)) {
	case readNot:
		t.leave(j, resultError)
		return false
	case readWrong:
		*r.misread++
	case readTranslated:
		if more := r.translate.at(draw(q.key, forTranslate, node, int(f.serial))); more > 0 && f.past == pastNothing {
			f.past = pastTranslation
			t.addMore(j, more)
			return false
		}
	case readWell:
	}
	return true
}

// addMore lets a frame that has worked work on.
func (t *station) addMore(j int32, more float64) {
	f := t.sim.frames.at(j)
	t.count.Work -= f.total // which is counted again, with what comes now
	f.total += more
	f.work = more
	t.add(j)
}
