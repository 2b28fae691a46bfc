-- Where the oldest $2 rows end.
SELECT time FROM logs
WHERE time < make_timestamp_ns($1)
ORDER BY time
LIMIT 1 OFFSET $2
