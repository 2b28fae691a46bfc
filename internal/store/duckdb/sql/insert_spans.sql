INSERT INTO spans
SELECT make_timestamp_ns(start_ns), make_timestamp_ns(end_ns), duration_ns,
       trace_id, span_id, parent_span_id, service, version, instance,
       name, kind, status, message,
       attributes::JSON::MAP(VARCHAR, VARCHAR), events::JSON, links::JSON,
       dropped, resource
FROM new_spans
