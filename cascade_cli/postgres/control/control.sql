-- The switch. A transaction that writes takes the lock shared and then rereads the row, in a statement of its own, for a
-- statement sees what was committed before it began to wait. Whoever has switched off takes the lock alone, once: then
-- every transaction that had read the row before is over.

-- name: share_lock
-- "casckill" in ASCII, for the key is shared with whatever else runs in that database.
SELECT pg_advisory_xact_lock_shared(7161131753336826988);

-- name: wait_for_writers
SELECT pg_advisory_xact_lock(7161131753336826988);

-- name: bound_wait
SELECT set_config('lock_timeout', %(timeout_ms)s, true);

-- name: read_switch
SELECT
    killed, flip_allowed, policy_fingerprint, oldest_worker_version, rollout_stage, changed_at, changed_by, reason
FROM {control}
WHERE only_row;

-- name: change
-- What is null stays; an empty text takes a restriction away. A row that is not there is made, with everything off.
WITH before AS MATERIALIZED (
    SELECT * FROM {control} WHERE only_row
), changed AS (
    INSERT INTO {control} AS control (
        killed, flip_allowed, policy_fingerprint, oldest_worker_version, rollout_stage, changed_by, reason
    )
    VALUES (
        coalesce(%(killed)s, true), coalesce(%(flip_allowed)s, false), nullif(%(policy_fingerprint)s, ''),
        nullif(%(oldest_worker_version)s, ''), nullif(%(rollout_stage)s, ''), %(who)s, %(reason)s
    )
    ON CONFLICT (only_row) DO UPDATE SET
        killed = coalesce(%(killed)s, control.killed),
        flip_allowed = coalesce(%(flip_allowed)s, control.flip_allowed),
        policy_fingerprint = nullif(coalesce(%(policy_fingerprint)s, control.policy_fingerprint), ''),
        oldest_worker_version = nullif(coalesce(%(oldest_worker_version)s, control.oldest_worker_version), ''),
        rollout_stage = nullif(coalesce(%(rollout_stage)s, control.rollout_stage), ''),
        changed_at = clock_timestamp(),
        changed_by = %(who)s,
        reason = %(reason)s
    RETURNING *
)
INSERT INTO {switches} (who, action, reason, before, after)
SELECT %(who)s, %(action)s, %(reason)s, (SELECT to_jsonb(before) FROM before), to_jsonb(changed) FROM changed;

-- name: one_at_a_time
-- Or the image before a change could be older than the one that it replaced.
SELECT FROM {control} WHERE only_row FOR UPDATE;

-- name: forbid_flip
-- All that a worker may change: it needs no privilege on the other columns.
WITH before AS MATERIALIZED (
    SELECT * FROM {control} WHERE only_row
), changed AS (
    UPDATE {control}
    SET flip_allowed = false, changed_at = clock_timestamp(), changed_by = %(who)s, reason = %(reason)s
    WHERE only_row AND flip_allowed
    RETURNING *
)
INSERT INTO {switches} (who, action, reason, before, after)
SELECT %(who)s, %(action)s, %(reason)s, (SELECT to_jsonb(before) FROM before), to_jsonb(changed) FROM changed;

-- name: note
-- The row stays as it is, so before and after are the same.
INSERT INTO {switches} (who, action, reason, before, after)
SELECT %(who)s, %(action)s, %(reason)s, to_jsonb(control), to_jsonb(control) FROM {control} AS control WHERE only_row;

-- name: switches
SELECT at, who, action, reason FROM {switches} ORDER BY id DESC LIMIT %(limit)s;
