SELECT 'spans', count(*) FROM span_rows
UNION ALL SELECT 'logs', count(*) FROM logs
UNION ALL SELECT 'changes', count(*) FROM changes
UNION ALL SELECT 'observations', count(*) FROM observations
UNION ALL SELECT 'totals', count(*) FROM totals
UNION ALL SELECT 'incidents', count(*) FROM incidents
UNION ALL SELECT 'findings', count(*) FROM findings
