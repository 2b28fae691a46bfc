-- Where to cut a window so that each part has about $3 rows.
SELECT start_time
FROM (
	SELECT start_time, row_number() OVER (ORDER BY start_time) AS n
	FROM span_rows
	WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2)
)
WHERE n % $3 = 0
ORDER BY n
