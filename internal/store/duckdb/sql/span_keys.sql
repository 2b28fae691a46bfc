-- What the spans that start in a period are known by, $3 at most.
SELECT start_time, trace, span
FROM span_rows
WHERE start_time BETWEEN make_timestamp_ns($1) AND make_timestamp_ns($2)
LIMIT $3
