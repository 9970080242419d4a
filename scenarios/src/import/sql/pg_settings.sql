-- pg-settings: what the server really runs with.
\copy (SELECT name, setting, unit, context, vartype, source FROM pg_settings ORDER BY name) TO 'pg_settings.csv' CSV HEADER
