CREATE OR REPLACE TEMP TABLE new_conditions (
	id UINTEGER, entity VARCHAR, dimension VARCHAR, value VARCHAR
)
