SELECT count(*), count(*) FILTER (table_name = 'meta')
FROM duckdb_tables()
WHERE database_name = current_database() AND NOT temporary
