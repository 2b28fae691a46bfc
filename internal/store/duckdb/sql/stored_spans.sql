-- Which of the staged spans are stored. The bounds let DuckDB skip the rows of
-- other times without reading them.
SELECT n.n
FROM new_spans n
JOIN span_rows s ON s.start_time = make_timestamp_ns(n.start_ns) AND s.trace = n.trace AND s.span = n.span
WHERE s.start_time BETWEEN make_timestamp_ns($1) AND make_timestamp_ns($2)
