SELECT start_time, end_time, trace, span, parent, name, kind, status, message,
       attributes, events, links, dropped, resource::VARCHAR
FROM span_rows
WHERE trace = $1::UUID
ORDER BY start_time, span
