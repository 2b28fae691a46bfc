INSERT INTO resources
SELECT resource, service, namespace, version, instance, environment,
       attributes::JSON::MAP(VARCHAR, VARCHAR)
FROM new_resources n
WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.resource = n.resource)
