INSERT INTO incidents
SELECT id, state, title, outcome, make_timestamp_ns(opened_ns),
       make_timestamp_ns(began_ns), make_timestamp_ns(updated_ns),
       make_timestamp_ns(closed_ns), make_timestamp_ns(last_failure_ns),
       failures, requests, document::JSON
FROM new_incidents
