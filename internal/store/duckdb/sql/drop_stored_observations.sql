-- The stored observations that new ones replace. The bounds let DuckDB skip
-- the rows of other times without reading them.
DELETE FROM observations o USING new_observations n
WHERE o.time BETWEEN make_timestamp_ns($1) AND make_timestamp_ns($2)
  AND o.trace_id = n.trace_id
  AND o.span_id = n.span_id
