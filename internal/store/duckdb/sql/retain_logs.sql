DELETE FROM logs WHERE time < make_timestamp_ns($1)
