-- Where to cut a window so that each part has about $3 rows.
SELECT time
FROM (
	SELECT time, row_number() OVER (ORDER BY time) AS n
	FROM observations
	WHERE time >= make_timestamp_ns($1) AND time < make_timestamp_ns($2)
)
WHERE n % $3 = 0
ORDER BY n
