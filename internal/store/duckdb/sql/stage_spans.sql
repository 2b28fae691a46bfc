-- Times arrive as nanoseconds since 1970, maps as JSON text: that is the
-- cheapest way through the driver, and DuckDB converts them in bulk.
CREATE OR REPLACE TEMP TABLE new_spans (
	start_ns BIGINT, end_ns BIGINT, duration_ns BIGINT,
	trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR,
	service VARCHAR, version VARCHAR, instance VARCHAR,
	name VARCHAR, kind VARCHAR, status VARCHAR, message VARCHAR,
	attributes VARCHAR, events VARCHAR, links VARCHAR,
	dropped UINTEGER, resource UUID
)
