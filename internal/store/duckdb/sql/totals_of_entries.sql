SELECT bucket, service, operation, requests, failed, slow
FROM totals
WHERE bucket >= $1 AND bucket < $2
  AND (service, operation) IN (SELECT (unnest($3::VARCHAR[]), unnest($4::VARCHAR[])))
ORDER BY bucket, service, operation
