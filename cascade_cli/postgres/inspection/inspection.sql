-- What `cascade doctor` asks a server.

-- name: server
SELECT current_setting('server_version') AS version, current_user::text AS name;

-- name: bounded_count
-- Counting all of a large table takes minutes; beyond the bound nobody needs the figure.
SELECT count(*) AS rows FROM (SELECT FROM {table} LIMIT %(bound)s) AS bounded;

-- name: relation
-- Storage parameters as an object; no row where there is no such table.
SELECT
    relrowsecurity,
    row_security_active(oid),
    (
        SELECT coalesce(jsonb_object_agg(split_part(parameter, '=', 1), split_part(parameter, '=', 2)), '{}'::jsonb)
        FROM unnest(reloptions) AS parameter
    )
FROM pg_class
WHERE oid = to_regclass(%(table)s);

-- name: bound_look
SELECT set_config('statement_timeout', %(timeout_ms)s, true);

-- name: longest_provenance
SELECT coalesce(max(cardinality({provenance})), 0) FROM {table};

-- name: longest_rows
SELECT {id}, cardinality({provenance}) FROM {table} ORDER BY 2 DESC NULLS LAST LIMIT 10;

-- name: may_write
SELECT coalesce(bool_or(has_any_column_privilege(to_regclass(name), 'INSERT, UPDATE')), false)
FROM unnest(%(tables)s::text[]) AS named (name)
WHERE to_regclass(name) IS NOT NULL;

-- name: missing_privileges
-- Whoever may delete may do so with the whole row; all else can be granted by column.
SELECT place
FROM unnest(%(tables)s::text[], %(privileges)s::text[], %(columns)s::text[])
    WITH ORDINALITY AS need (name, privilege, column_name, place)
WHERE to_regclass(name) IS NOT NULL
    AND NOT CASE
        WHEN column_name IS NOT NULL THEN has_column_privilege(to_regclass(name), column_name, privilege)
        WHEN privilege = 'DELETE' THEN has_table_privilege(to_regclass(name), privilege)
        ELSE has_any_column_privilege(to_regclass(name), privilege)
    END
ORDER BY place;

-- name: long_locks
-- Readers hold nobody up. The age of others' transactions is shown to members of pg_read_all_stats alone.
SELECT
    activity.pid AS pid,
    extract(epoch FROM clock_timestamp() - activity.xact_start)::float8 AS age_s,
    array_agg(DISTINCT lock.relation::regclass::text) AS tables
FROM pg_locks AS lock
JOIN pg_stat_activity AS activity ON activity.pid = lock.pid
WHERE lock.granted
    AND lock.locktype = 'relation'
    AND lock.mode <> 'AccessShareLock'
    AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND lock.relation = ANY (ARRAY(SELECT to_regclass(name)::oid FROM unnest(%(tables)s::text[]) AS named (name)))
    AND activity.xact_start < clock_timestamp() - make_interval(secs => %(old_s)s)
GROUP BY activity.pid, activity.xact_start
ORDER BY activity.xact_start;
