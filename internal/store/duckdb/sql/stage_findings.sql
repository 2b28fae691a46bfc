CREATE OR REPLACE TEMP TABLE new_findings (
	outcome VARCHAR, rank INTEGER, verdict VARCHAR, grade VARCHAR,
	conditions VARCHAR, coverage DOUBLE, excess DOUBLE, difference DOUBLE,
	p DOUBLE, document VARCHAR
)
