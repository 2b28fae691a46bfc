SELECT s.start_time, s.end_time, s.trace_id, s.span_id, s.parent_span_id,
       s.name, s.kind, s.status, s.message, to_json(s.attributes)::VARCHAR,
       s.events::VARCHAR, s.links::VARCHAR, s.dropped, s.resource::VARCHAR
FROM spans s
WHERE s.start_time >= make_timestamp_ns($1) AND s.start_time < make_timestamp_ns($2)
ORDER BY s.start_time, s.trace_id, s.span_id
