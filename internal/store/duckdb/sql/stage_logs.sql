CREATE OR REPLACE TEMP TABLE new_logs (
	time_ns BIGINT, trace_id VARCHAR, span_id VARCHAR, severity INTEGER,
	event_name VARCHAR, body VARCHAR,
	service VARCHAR, version VARCHAR, instance VARCHAR,
	attributes VARCHAR, resource UUID
)
