-- user: Get the connected user, the database, and whether the user may create temporary tables, which large batches
-- need.
SELECT current_user::text AS name, quote_ident(current_user) AS quoted_name, current_database()::text AS database,
       quote_ident(current_database()) AS quoted_database,
       has_database_privilege(current_database(), 'TEMPORARY') AS has_temporary

-- schemas: List the schemas of the search path in order; oid is NULL for one that doesn't exist.
SELECT listed.name, quote_ident(listed.name) AS quoted_name, pg_namespace.oid IS NOT NULL AS exists,
       pg_namespace.oid IS NULL OR has_schema_privilege(pg_namespace.oid, 'USAGE') AS has_usage,
       pg_namespace.oid IS NULL OR has_schema_privilege(pg_namespace.oid, 'CREATE') AS has_create
FROM (
    SELECT replace(btrim(item, ' "'), '$user', current_user) AS name, place
    FROM unnest(string_to_array(current_setting('search_path'), ',')) WITH ORDINALITY AS items (item, place)
) AS listed
LEFT JOIN pg_namespace ON nspname = listed.name
ORDER BY listed.place

-- tables: List the privileges that are missing on our tables, which have the same owner and schema as schema_migration.
SELECT privileges, array_agg(table_name ORDER BY table_name) AS tables
FROM (
    SELECT format('%I.%I', nspname, other.relname) AS table_name, string_agg(privilege, ', ' ORDER BY place) AS privileges
    FROM pg_class AS ours
    JOIN pg_class AS other ON other.relnamespace = ours.relnamespace AND other.relowner = ours.relowner
    JOIN pg_namespace ON pg_namespace.oid = other.relnamespace
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS needed (privilege, place)
    WHERE ours.relname = 'schema_migration' AND ours.relkind IN ('r', 'p') AND other.relkind IN ('r', 'p')
      AND nspname = $1 AND NOT has_table_privilege(other.oid, privilege)
    GROUP BY nspname, other.relname
) AS missing
GROUP BY privileges ORDER BY privileges
