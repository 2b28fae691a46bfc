DELETE FROM findings WHERE window_start < make_timestamp_ns($1) OR window_start > make_timestamp_ns($2)
