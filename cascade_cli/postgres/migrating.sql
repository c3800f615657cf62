-- The steps around each migration, all in its transaction.

-- name: settings
SELECT set_config('lock_timeout', '2s', true), set_config('search_path', %(schema)s, true);

-- name: one_migrator
-- "cascade" in ASCII, for the key is shared with whatever else runs in that database.
SELECT pg_advisory_xact_lock(27973170910815333);

-- name: create_register
CREATE TABLE IF NOT EXISTS cascade_migrations (
    name       text        PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: register
INSERT INTO cascade_migrations (name) VALUES (%(name)s) ON CONFLICT DO NOTHING;
