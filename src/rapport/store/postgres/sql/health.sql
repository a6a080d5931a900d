-- is_readable: Check whether the database can be read.
SELECT number, pg_is_in_recovery() FROM revision

-- write_probe: Write a row to check whether the database accepts writes. Served by the primary key.
INSERT INTO readiness (of, checked_time) VALUES ('server', :now)
ON CONFLICT (of) DO UPDATE SET checked_time = excluded.checked_time

-- list_forbidden_tables: List the tables that the user may not write to.
SELECT name FROM unnest(:tables::text[]) AS written (name)
WHERE NOT (has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'UPDATE')
           AND has_table_privilege(name, 'DELETE'))
ORDER BY name
