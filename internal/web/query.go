package web

import (
	"fmt"
	"strings"
	"time"

	"example.test/eddy/internal/incident"
	"example.test/eddy/internal/request"
	"example.test/eddy/internal/telemetry"
)

// The SQL here is for people who open the store's file themselves: what it
// returns is what the page shows. The tables are those of store/duckdb.

// cellsSQL counts the combinations of a finding's conditions in the window.
func cellsSQL(i incident.Incident, w telemetry.Window) copyable {
	if i.Finding == nil || len(i.Finding.Conditions) == 0 {
		return copyable{}
	}
	var columns, order []string
	for k, c := range i.Finding.Conditions {
		name := strings.ToLower(letter(k))
		columns = append(columns, fmt.Sprintf(
			"         coalesce(list_contains(conditions, (SELECT id FROM conditions WHERE entity = %s AND dimension = %s AND value = %s)), false) AS %s",
			literal(c.Entity), literal(c.Dimension), literal(c.Value), name))
		order = append(order, name+" DESC")
	}
	return copyable{"SQL", fmt.Sprintf(`SELECT * EXCLUDE (weighted, bad), bad / weighted AS risk
FROM (
  SELECT %s,
         count(*) AS n, count(*) FILTER (outcome = '%s') AS failed,
         sum(weight) AS weighted, coalesce(sum(weight) FILTER (outcome = '%[2]s'), 0) AS bad
  FROM (
  SELECT outcome, weight,
%s
  FROM observations
  WHERE time >= %s AND time < %s%s
  )
  GROUP BY ALL
)
ORDER BY %s;`,
		strings.ReplaceAll(strings.Join(order, ", "), " DESC", ""), i.Outcome,
		strings.Join(columns, ",\n"), timestamp(w.Start), timestamp(w.End), entriesSQL(i.Entries), strings.Join(order, ", "))}
}

// ratesSQL is the failure rate of the affected entries by step.
func ratesSQL(c *Confluence) copyable {
	column := "failed"
	if c.Outcome == request.Slow {
		column = "slow"
	}
	step := max(c.StepSeconds, int(bucket/time.Second)) // totals are no finer
	return copyable{"SQL", fmt.Sprintf(`SELECT to_timestamp(bucket - (bucket - %d) %% %d) AS step, sum(requests) AS n, sum(%s) AS %[3]s,
       sum(%[3]s) / sum(requests) AS risk
FROM totals
WHERE bucket >= %[1]d AND bucket < %[4]d%s
GROUP BY ALL
ORDER BY step;`, c.Window.Start.Unix(), step, column, c.Window.End.Unix(), entriesSQL(c.Entries))}
}

// traceSQL lists a trace's spans.
func traceSQL(id telemetry.TraceID) copyable {
	return copyable{"SQL", fmt.Sprintf(`SELECT start_time, duration_ns / 1e6 AS ms, service, version, name, kind, status, message, attributes
FROM spans
WHERE trace_id = '%s'
ORDER BY start_time;`, id)}
}

func entriesSQL(entries []request.Entry) string {
	if len(entries) == 0 {
		return ""
	}
	var pairs []string
	for _, e := range entries {
		pairs = append(pairs, "("+literal(e.Service)+", "+literal(e.Operation)+")")
	}
	return "\n    AND (service, operation) IN (" + strings.Join(pairs, ", ") + ")"
}

func timestamp(t time.Time) string {
	return "TIMESTAMP_NS '" + t.UTC().Format("2006-01-02 15:04:05") + "'"
}

// literal writes text as an SQL string.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
