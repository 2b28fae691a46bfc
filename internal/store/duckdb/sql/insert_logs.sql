INSERT INTO logs
SELECT make_timestamp_ns(time_ns), trace_id, span_id, severity, event_name, body,
       service, version, instance, attributes::JSON::MAP(VARCHAR, VARCHAR), resource
FROM new_logs
