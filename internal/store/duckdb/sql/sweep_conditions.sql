DELETE FROM conditions
WHERE id NOT IN (SELECT DISTINCT unnest(conditions) FROM observations)
