DELETE FROM resources
WHERE resource NOT IN (SELECT resource FROM span_rows UNION SELECT resource FROM logs)
