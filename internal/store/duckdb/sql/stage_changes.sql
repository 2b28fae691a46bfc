CREATE OR REPLACE TEMP TABLE new_changes (
	time_ns BIGINT, id VARCHAR, kind VARCHAR, entity VARCHAR, instance VARCHAR,
	dimension VARCHAR, value VARCHAR, previous VARCHAR, ends BOOLEAN,
	origin VARCHAR, source VARCHAR, actor VARCHAR, summary VARCHAR, url VARCHAR
)
