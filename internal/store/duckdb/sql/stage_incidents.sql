CREATE OR REPLACE TEMP TABLE new_incidents (
	id VARCHAR, state VARCHAR, title VARCHAR, outcome VARCHAR,
	opened_ns BIGINT, began_ns BIGINT, updated_ns BIGINT, closed_ns BIGINT,
	last_failure_ns BIGINT, failures BIGINT, requests BIGINT, document VARCHAR
)
