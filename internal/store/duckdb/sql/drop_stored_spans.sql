-- Which of the new spans are stored already. The bounds let DuckDB skip the
-- rows of other times without reading them.
DELETE FROM new_spans n USING spans s
WHERE s.start_time BETWEEN make_timestamp_ns($1) AND make_timestamp_ns($2)
  AND s.start_time = make_timestamp_ns(n.start_ns)
  AND s.trace_id = n.trace_id
  AND s.span_id = n.span_id
