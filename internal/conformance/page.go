package conformance

import (
	"maps"
	"strings"
	"time"

	"example.test/eddy/attr"
	"example.test/eddy/internal/telemetry"
)

// A Page is that somebody was woken up.
type Page struct {
	Incident string
	Alert    string
	// Start is when, and Ack when somebody took it; zero if that is not known.
	Start, Ack time.Time
	// Decided says that a person has said whether a flip was the reason: Flip.
	Decided, Flip bool
}

// ours reports whether the alert is one of Eddy's about phases.
func (p Page) ours() bool { return strings.HasPrefix(p.Alert, "EddyPhase") }

// paged takes the event of a pager.
func (m *Monitor) paged(l *telemetry.Log) {
	p := Page{Incident: l.Attributes.First(attr.IncidentID), Alert: l.Attributes.First(attr.AlertName), Start: l.Time}
	if p.Incident == "" { // Eddy's own: one for each time that it happened
		p.Incident = strings.Join([]string{p.Alert, l.Attributes.First(attr.PhaseContract), l.Attributes.First(attr.PhaseSubject), l.Attributes.First(attr.PhaseEpoch)}, " ")
	}
	if flip, ok := l.Attributes.Get(attr.PhaseFlip); ok {
		p.Decided, p.Flip = true, flip == "true"
	}
	m.page(p)
}

// Paged takes a page. Of one incident the first start and the last acknowledgement
// count, and what a person decided.
func (m *Monitor) Paged(p Page) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.page(p)
}

func (m *Monitor) page(p Page) {
	if p.Incident == "" {
		return
	}
	known, ok := m.pages[p.Incident]
	if !ok && len(m.pages) >= maxPages {
		m.dropped++
		return
	}
	if ok {
		if known.Start.Before(p.Start) {
			p.Start = known.Start
		}
		p.Ack = later(p.Ack, known.Ack)
		if !p.Decided {
			p.Decided, p.Flip = known.Decided, known.Flip
		}
		if p.Alert == "" || known.ours() {
			p.Alert = known.Alert
		}
	}
	m.pages[p.Incident] = p
}

// aroundPage is how long before a page a finding may have been.
const aroundPage = 15 * time.Minute

// flipped reports whether a flip was the reason of a page: a person said so, or the
// alert is one about phases, or a finding F1 to F5 overlaps [start-15m, ack].
func (m *Monitor) flipped(p Page) bool {
	if p.Decided {
		return p.Flip
	}
	if p.ours() {
		return true
	}
	from, to := p.Start.Add(-aroundPage), later(p.Start, p.Ack)
	for _, list := range m.failures {
		for _, s := range list {
			if !s.until.Before(from) && !s.since.After(to) {
				return true
			}
		}
	}
	return false
}

// failure is what is kept of a finding for pages to come.
type failure struct {
	code              Code
	origin            Origin
	contract, subject string
}

// stretch is from when to when a finding held.
type stretch struct{ since, until time.Time }

// note keeps when findings held. Low ones, and subjects that are stuck, wake nobody.
func (m *Monitor) note(found []Finding) {
	for _, f := range found {
		if f.Severity == Low || f.Code == Stuck {
			continue
		}
		key, s := failure{f.Code, f.Origin, f.Contract, f.Subject}, stretch{f.Since, f.Until}
		list, known := m.failures[key]
		if !known && len(m.failures) >= maxPages {
			m.dropped++
			continue
		}
		if last := len(list) - 1; last >= 0 && !s.since.After(list[last].until) && !s.until.Before(list[last].since) {
			if s.since.Before(list[last].since) {
				list[last].since = s.since
			}
			list[last].until = later(list[last].until, s.until)
			continue
		}
		if len(list) == maxSteps {
			list = list[1:]
		}
		m.failures[key] = append(list, s)
	}
}

// Pages are how many incidents woke somebody because of a phase flip.
type Pages struct {
	// Month counts those of the calendar month, in UTC; Trailing those of the last
	// 30 days; All of the last 30 days whatever the reason.
	Month    int `json:"month"`
	Trailing int `json:"trailing_30d"`
	All      int `json:"all_30d"`
}

// pagesOf is
//
//	M8 = #{distinct incidents with flip=true}
//
// by calendar month, and over the last 30 days.
func (m *Monitor) pagesOf(now time.Time) Pages {
	var n Pages
	begin := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, p := range m.pages {
		if p.Start.After(now) {
			continue
		}
		trailing := p.Start.After(now.Add(-month))
		if trailing {
			n.All++
		}
		if !m.flipped(p) {
			continue
		}
		if trailing {
			n.Trailing++
		}
		if !p.Start.Before(begin) {
			n.Month++
		}
	}
	return n
}

// forgetPages drops what is older than a month may be.
func (m *Monitor) forgetPages(now time.Time) {
	const longest = 32 * 24 * time.Hour
	maps.DeleteFunc(m.pages, func(_ string, p Page) bool { return now.Sub(p.Start) > longest })
	maps.DeleteFunc(m.failures, func(_ failure, list []stretch) bool { return now.Sub(list[len(list)-1].until) > longest })
}
