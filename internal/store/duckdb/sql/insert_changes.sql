INSERT INTO changes
SELECT make_timestamp_ns(time_ns), id, kind, entity, instance, dimension, value,
       previous, ends, origin, source, actor, summary, url
FROM new_changes n
WHERE NOT EXISTS (SELECT 1 FROM changes c WHERE c.id = n.id)
ORDER BY n.rowid
