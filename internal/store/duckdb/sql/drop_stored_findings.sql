DELETE FROM findings
WHERE window_start = make_timestamp_ns($1) AND window_end = make_timestamp_ns($2)
  AND outcome = $3
