DELETE FROM observations WHERE time < make_timestamp_ns($1) OR time > make_timestamp_ns($2)
