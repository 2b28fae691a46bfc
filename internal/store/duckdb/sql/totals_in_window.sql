SELECT bucket, service, operation, requests, failed, slow
FROM totals
WHERE bucket >= $1 AND bucket < $2
ORDER BY bucket, service, operation
