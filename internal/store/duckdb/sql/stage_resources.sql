CREATE OR REPLACE TEMP TABLE new_resources (
	resource UUID, service VARCHAR, namespace VARCHAR, version VARCHAR,
	instance VARCHAR, environment VARCHAR, attributes VARCHAR
)
