DELETE FROM span_rows WHERE start_time < make_timestamp_ns($1) OR start_time > make_timestamp_ns($2)
