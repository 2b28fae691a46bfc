INSERT INTO findings
SELECT make_timestamp_ns($1), make_timestamp_ns($2), outcome, rank, verdict,
       grade, conditions::JSON::VARCHAR[], coverage, excess, difference, p,
       document::JSON
FROM new_findings
