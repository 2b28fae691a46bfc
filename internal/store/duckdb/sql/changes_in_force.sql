SELECT time, id, kind, entity, instance, dimension, value, previous, ends,
       origin, source, actor, summary, url
FROM (
	SELECT *
	FROM changes
	WHERE time <= make_timestamp_ns($1)
	QUALIFY row_number() OVER (
		PARTITION BY entity, dimension, instance ORDER BY time DESC, rowid DESC
	) = 1
)
WHERE NOT ends
ORDER BY entity, dimension, instance
