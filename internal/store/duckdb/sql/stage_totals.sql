CREATE OR REPLACE TEMP TABLE new_totals (
	bucket BIGINT, service VARCHAR, operation VARCHAR,
	requests BIGINT, failed BIGINT, slow BIGINT
)
