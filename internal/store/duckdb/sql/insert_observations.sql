INSERT INTO observations
SELECT make_timestamp_ns(time_ns), trace_id, span_id, service, operation,
       duration_ns, outcome, reason, weight, conditions::UINTEGER[],
       missing_root, missing_parents, skewed_spans, dropped_items, truncated
FROM new_observations
