-- Where the oldest $2 rows end.
SELECT window_start FROM findings
WHERE window_start < make_timestamp_ns($1)
ORDER BY window_start
LIMIT 1 OFFSET $2
