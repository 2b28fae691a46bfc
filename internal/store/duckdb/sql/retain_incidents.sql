DELETE FROM incidents WHERE state = 'resolved' AND updated < make_timestamp_ns($1)
