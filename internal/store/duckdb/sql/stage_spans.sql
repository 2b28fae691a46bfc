-- Spans of which it is not known whether they are stored. Times arrive as
-- nanoseconds since 1970.
CREATE OR REPLACE TEMP TABLE new_spans (
	n BIGINT, start_ns BIGINT, trace UUID, span UBIGINT
)
