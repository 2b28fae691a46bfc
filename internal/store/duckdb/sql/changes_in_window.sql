SELECT time, id, kind, entity, instance, dimension, value, previous, ends,
       origin, source, actor, summary, url
FROM changes
WHERE time >= make_timestamp_ns($1) AND time < make_timestamp_ns($2)
ORDER BY time, rowid
