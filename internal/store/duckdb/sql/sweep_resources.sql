DELETE FROM resources
WHERE resource NOT IN (SELECT resource FROM spans UNION SELECT resource FROM logs)
