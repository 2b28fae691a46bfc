package web

import (
	"net/http"
	"strconv"
	"time"

	"example.test/eddy/internal/conformance"
)

// PhaseReports says how phases were kept to, over a time that ends at a moment: the
// indicators and findings, and the detail of subjects.
type PhaseReports interface {
	Report(length time.Duration, now time.Time) conformance.Report
	Detailed(length time.Duration, now time.Time, subject string) conformance.Report
}

func errNoPhases() error {
	return errAbsent("phases: nothing looks at them here", "ask a server that takes telemetry in")
}

// longestReport is how far back a report goes at most.
const longestReport = time.Hour

func (s *Server) getPhaseReport(w http.ResponseWriter, r *http.Request) error {
	if s.config.PhaseReports == nil {
		return errNoPhases()
	}
	query, length, detail := r.URL.Query(), 5*time.Minute, false
	if text := query.Get("window"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || d > longestReport {
			return errParameter("window", text, "a duration up to 1h, as 5m")
		}
		length = d
	}
	if text := query.Get("detail"); text != "" {
		var err error
		if detail, err = strconv.ParseBool(text); err != nil {
			return errParameter("detail", text, "true or false")
		}
	}
	now := s.config.Clock()
	if subject := query.Get("subject"); detail || subject != "" {
		return writeJSON(w, http.StatusOK, s.config.PhaseReports.Detailed(length, now, subject))
	}
	return writeJSON(w, http.StatusOK, s.config.PhaseReports.Report(length, now))
}
