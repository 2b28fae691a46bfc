SELECT time, trace_id, span_id, severity, event_name, body,
       to_json(attributes)::VARCHAR, resource::VARCHAR
FROM logs
WHERE trace_id IS NOT DISTINCT FROM $1
ORDER BY time, rowid
