package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// snapshotVersion is that of the form below. Another one is not read.
const snapshotVersion = 1

// snapshot is what must outlive the process: the budget of a month, what pages are
// judged by, and the jobs of a day. All else is younger than an hour.
type snapshot struct {
	Version  int                 `json:"version"`
	Began    time.Time           `json:"began"`
	Hours    []savedHour         `json:"hours"`
	Pages    []Page              `json:"pages"`
	Failures []savedFailure      `json:"failures"`
	Jobs     map[string][]Commit `json:"jobs"`
}

type savedHour struct {
	At                                int64
	Requests, Failed, Flipped, Joined float64
}

type savedFailure struct {
	Code              Code
	Origin            Origin
	Contract, Subject string
	Times             []savedTime
}

type savedTime struct{ Since, Until time.Time }

// Save writes what must outlive the process, as JSON. Suspects that are not decided
// about yet are decided as things stand.
func (m *Monitor) Save(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(m.snapshot()); err != nil {
		return fmt.Errorf("save phases: %w", err)
	}
	return nil
}

func (m *Monitor) snapshot() snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := snapshot{Version: snapshotVersion, Began: m.began, Jobs: make(map[string][]Commit, len(m.jobs))}
	if !m.counting.IsZero() {
		s.Began = m.counting
	}
	joined := make(map[int64]float64)
	for _, x := range m.ledger.suspects {
		if m.joins(x) {
			joined[x.at.Truncate(time.Hour).Unix()]++
		}
	}
	for at, x := range m.ledger.hours {
		s.Hours = append(s.Hours, savedHour{at, x.requests, x.failed, x.flipped, x.joined + joined[at]})
	}
	slices.SortFunc(s.Hours, func(a, b savedHour) int { return cmp.Compare(a.At, b.At) })
	for _, p := range m.pages {
		s.Pages = append(s.Pages, p)
	}
	slices.SortFunc(s.Pages, func(a, b Page) int { return cmp.Compare(a.Incident, b.Incident) })
	for f, list := range m.failures {
		saved := savedFailure{f.code, f.origin, f.contract, f.subject, nil}
		for _, x := range list {
			saved.Times = append(saved.Times, savedTime{x.since, x.until})
		}
		s.Failures = append(s.Failures, saved)
	}
	slices.SortFunc(s.Failures, func(a, b savedFailure) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Subject, b.Subject))
	})
	for id, j := range m.jobs {
		if len(j.commits) > 0 {
			s.Jobs[id] = slices.Clone(j.commits)
		}
	}
	return s
}

// Load takes up what Save wrote, before the first Add. An error says that it cannot
// be read, and nothing is taken up.
func (m *Monitor) Load(r io.Reader) error {
	var s snapshot
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return fmt.Errorf("load phases: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("load phases: version %d: want %d", s.Version, snapshotVersion)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counting = s.Began
	for _, h := range s.Hours {
		m.ledger.hours[h.At] = spent{h.Requests, h.Failed, h.Flipped, h.Joined}
	}
	for _, p := range s.Pages {
		m.page(p)
	}
	for _, f := range s.Failures {
		for _, t := range f.Times {
			m.note([]Finding{{Code: f.Code, Origin: f.Origin, Contract: f.Contract, Subject: f.Subject, Since: t.Since, Until: t.Until}})
		}
	}
	for id, commits := range s.Jobs {
		if len(m.jobs) >= maxJobs {
			break
		}
		j := &job{}
		for _, c := range commits {
			j.commit(c)
		}
		m.jobs[id] = j
	}
	return nil
}
