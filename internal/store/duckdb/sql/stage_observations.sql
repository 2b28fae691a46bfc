CREATE OR REPLACE TEMP TABLE new_observations (
	time_ns BIGINT, trace_id VARCHAR, span_id VARCHAR,
	service VARCHAR, operation VARCHAR, duration_ns BIGINT,
	outcome VARCHAR, reason VARCHAR, weight DOUBLE, conditions VARCHAR,
	missing_root BOOLEAN, missing_parents BIGINT, skewed_spans BIGINT,
	dropped_items BIGINT, truncated BOOLEAN
)
