SELECT start_time, end_time, trace, span, parent, name, kind, status, message,
       attributes, events, links, dropped, resource::VARCHAR
FROM span_rows
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
ORDER BY start_time, trace, span
