-- The steps around migrations. Names in braces are filled with quoted identifiers; values are bound.

-- name: settings
SELECT set_config('lock_timeout', '2s', true), set_config('search_path', %(search_path)s, true);

-- name: stay_idle
-- The transaction that keeps other migrators out does nothing else for as long as an index takes.
SELECT set_config('idle_in_transaction_session_timeout', '0', true);

-- name: one_migrator
-- "cascade" in ASCII, for the key is shared with whatever else runs in that database. Tried, not waited for: a statement
-- that waits holds a snapshot, and an index that is made concurrently would wait for that in turn.
SELECT pg_try_advisory_xact_lock(27973170910815333);

-- name: relation_kind
-- No row where there is no such relation.
SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%(relation)s);

-- name: index_is_valid
-- No row where there is no such index.
SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(relation)s);

-- name: registered
SELECT name FROM {register};

-- name: create_register
CREATE TABLE IF NOT EXISTS {register} (
    name       text        PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: register
INSERT INTO {register} (name) VALUES ({name}) ON CONFLICT DO NOTHING;
