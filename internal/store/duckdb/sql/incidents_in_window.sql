SELECT document::VARCHAR
FROM incidents
WHERE updated >= make_timestamp_ns($1) AND updated < make_timestamp_ns($2)
ORDER BY updated DESC, id DESC
