-- Where the oldest $2 rows end.
SELECT start_time FROM span_rows
WHERE start_time < make_timestamp_ns($1)
ORDER BY start_time
LIMIT 1 OFFSET $2
