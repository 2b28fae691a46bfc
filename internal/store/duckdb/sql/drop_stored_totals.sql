DELETE FROM totals t USING new_totals n
WHERE t.bucket BETWEEN $1 AND $2
  AND t.bucket = n.bucket
  AND t.service = n.service
  AND t.operation = n.operation
