DELETE FROM observations WHERE time < make_timestamp_ns($1)
