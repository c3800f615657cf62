-- What ends a batch, in one transaction. Names in braces are filled with quoted identifiers from the mapping.

-- name: settings
-- A lock that is held for longer is held by a transaction that hangs; the batch is tried again.
SELECT set_config('timezone', 'UTC', true), set_config('lock_timeout', '30s', true);

-- name: lock_rows
-- In the order of ids, as everywhere. This is also how a batch is found out about whose reply to COMMIT was lost: the
-- lock waits until that transaction has ended, and a row that it finished still carries the fence.
SELECT
    queue.{id}::text AS queue_id,
    coalesce(
        queue.{status} = 'claimed' AND queue.{claimed_by} = claim.fence
            AND queue.{claim_expires_at} > clock_timestamp(),
        false
    ) AS held,
    coalesce(queue.{status} = 'done' AND queue.{claimed_by} = claim.fence, false) AS finished,
    escalation.event_id IS NOT NULL AS escalated
FROM {queue} AS queue
JOIN unnest(%(queue_ids)s::text[]::{id_type}[], %(fences)s::text[]) AS claim (id, fence) ON queue.{id} = claim.id
LEFT JOIN {escalations} AS escalation
    ON escalation.event_id = queue.{event_id}::text AND escalation.queue_id = queue.{id}::text
ORDER BY queue.{id}
FOR UPDATE OF queue;

-- name: finish
-- The fence stays: it is how the write is recognised afterwards. With the row's own decision go those about rows of the
-- event that are gone.
WITH finished AS (
    UPDATE {queue} AS queue
    SET {status} = 'done', {claim_expires_at} = NULL
    WHERE queue.{id} = ANY(%(queue_ids)s::text[]::{id_type}[])
        AND queue.{status} = 'claimed'
        AND queue.{claimed_by} = ANY(%(fences)s::text[])
    RETURNING queue.{id}::text AS queue_id, queue.{event_id}::text AS event_id
), unmarked AS (
    DELETE FROM {marks} AS mark USING finished WHERE mark.queue_id = finished.queue_id
), arrived AS (
    DELETE FROM {escalations} AS escalation USING finished
    WHERE escalation.event_id = finished.event_id
        AND (
            escalation.queue_id = finished.queue_id
            OR (SELECT other.{id} FROM {queue} AS other WHERE other.{id} = escalation.queue_id::{id_type}) IS NULL
        )
)
SELECT count(*) FROM finished;

-- name: escalate
-- The first reason stays.
WITH decided AS (
    SELECT queue_id, event_id, reason
    FROM unnest(%(queue_ids)s::text[], %(event_ids)s::text[], %(reasons)s::text[]) AS decided (queue_id, event_id, reason)
), persisted AS (
    INSERT INTO {escalations} AS escalation (event_id, queue_id, reason)
    SELECT event_id, queue_id, reason FROM decided ORDER BY event_id, queue_id
    ON CONFLICT (event_id, queue_id) DO NOTHING
), returned AS (
    UPDATE {queue} AS queue
    SET {status} = 'pending', {claimed_by} = NULL, {claimed_at} = NULL, {claim_expires_at} = NULL
    FROM decided
    WHERE queue.{id} = decided.queue_id::{id_type} AND queue.{status} = 'claimed'
    RETURNING queue.{id}
)
SELECT count(*) FROM returned;

-- name: record_ledger
-- One row for an event, though a batch may end several queue rows of it.
INSERT INTO {ledger} AS ledger (
    event_id, producer, llm_model, system_prompt_hash, escalated, escalate_reason, distilled_at
)
SELECT DISTINCT ON (event_id)
    event_id, %(producer)s, %(llm_model)s, %(system_prompt_hash)s, escalated, reason, clock_timestamp()
FROM unnest(%(event_ids)s::text[], %(escalated)s::boolean[], %(reasons)s::text[]) AS entry (event_id, escalated, reason)
ORDER BY event_id
ON CONFLICT (event_id, producer) DO UPDATE SET
    llm_model = EXCLUDED.llm_model,
    system_prompt_hash = EXCLUDED.system_prompt_hash,
    escalated = EXCLUDED.escalated,
    escalate_reason = EXCLUDED.escalate_reason,
    distilled_at = EXCLUDED.distilled_at;

-- name: record_answers
-- The last answer to the same question counts: after a lost claim, or for another row of the event, it is asked again.
INSERT INTO {answers} AS held (
    event_id, student_model, prompt_shape, sample_index, response, parsed, fired, sampled, u, rate, pi, student_ms,
    signals, answered_at, policy_fingerprint
)
SELECT DISTINCT ON (event_id, student_model, prompt_shape, sample_index)
    event_id, student_model, prompt_shape, sample_index, response, parsed, fired, sampled, u, rate, pi, student_ms,
    signals, clock_timestamp(), %(policy_fingerprint)s
FROM json_to_recordset(%(answers)s::json) AS answer (
    event_id text, student_model text, prompt_shape text, sample_index integer, response text, parsed boolean,
    fired text[], sampled boolean, u bigint, rate numeric, pi numeric, student_ms double precision, signals jsonb
)
ORDER BY event_id, student_model, prompt_shape, sample_index
ON CONFLICT (event_id, student_model, prompt_shape, sample_index) DO UPDATE SET
    response = EXCLUDED.response,
    parsed = EXCLUDED.parsed,
    fired = EXCLUDED.fired,
    sampled = EXCLUDED.sampled,
    u = EXCLUDED.u,
    rate = EXCLUDED.rate,
    pi = EXCLUDED.pi,
    student_ms = EXCLUDED.student_ms,
    signals = EXCLUDED.signals,
    answered_at = EXCLUDED.answered_at,
    policy_fingerprint = EXCLUDED.policy_fingerprint;

-- name: record_traces
-- Read by the table's own types, whatever they are; one that is there already came with an earlier try.
INSERT INTO {traces} ({columns}, {created_at})
SELECT {columns}, clock_timestamp() FROM json_populate_recordset(NULL::{traces}, %(traces)s::json)
ON CONFLICT DO NOTHING;

-- name: record_missing_traces
-- The same where the table gives its own ids, after a try that may have worked: one of the last day that says the same of
-- the same event came with it. Found by the index on the moment.
INSERT INTO {traces} ({columns}, {created_at})
SELECT {columns}, clock_timestamp() FROM json_populate_recordset(NULL::{traces}, %(traces)s::json) AS given
WHERE NOT EXISTS (
    SELECT FROM {traces} AS held
    WHERE held.{created_at} > now() - interval '1 day'
        AND held.{event_id} = given.{event_id}
        AND held.{raw_response}::text = given.{raw_response}::text
);
