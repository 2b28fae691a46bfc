SELECT time, trace_id, span_id, service, operation, duration_ns, outcome, reason,
       weight, conditions, missing_root, missing_parents, skewed_spans,
       dropped_items, truncated
FROM observations
WHERE time >= make_timestamp_ns($1) AND time < make_timestamp_ns($2)
ORDER BY time, trace_id, span_id
