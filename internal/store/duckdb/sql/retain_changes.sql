-- What is still in force at $2 stays.
DELETE FROM changes
WHERE time < make_timestamp_ns($1)
  AND rowid NOT IN (
	SELECT last
	FROM (
		SELECT rowid AS last, ends
		FROM changes
		WHERE time <= make_timestamp_ns($2)
		QUALIFY row_number() OVER (
			PARTITION BY entity, dimension, instance ORDER BY time DESC, rowid DESC
		) = 1
	)
	WHERE NOT ends
  )
