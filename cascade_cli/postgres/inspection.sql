-- What `cascade doctor` asks a server.

-- name: server
SELECT current_setting('server_version') AS version, current_user::text AS name;

-- name: bounded_count
-- Counting all of a large table takes minutes; beyond the bound nobody needs the figure.
SELECT count(*) AS rows FROM (SELECT FROM {table} LIMIT %(bound)s) AS bounded;
