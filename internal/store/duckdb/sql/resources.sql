SELECT resource::VARCHAR, service, namespace, version, instance, environment,
       to_json(attributes)::VARCHAR
FROM resources
WHERE resource IN (SELECT unnest($1::VARCHAR[])::UUID)
