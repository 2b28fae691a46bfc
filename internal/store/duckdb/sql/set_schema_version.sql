UPDATE meta SET value = $1 WHERE name = 'schema_version'
