-- The queue. Names in braces are filled with quoted identifiers from the mapping; values are bound.
-- A claim is held by its fence, a text in claimed_by that no other claim has. Only the server's clock counts.
-- Every statement commits by itself, so that none is open while a model thinks.

-- name: ready_for_student
SELECT queue.{id} AS id, coalesce(mark.interruptions, 0) AS interruptions, NULL::timestamptz AS decided_at
FROM {queue} AS queue
LEFT JOIN {marks} AS mark ON mark.queue_id = queue.{id}::text
WHERE queue.{status} = 'pending'
    AND queue.{attempts} < %(max_attempts)s
    AND (mark.not_before IS NULL OR mark.not_before <= clock_timestamp())
    AND NOT EXISTS (
        SELECT FROM {escalations} AS escalation
        WHERE escalation.event_id = queue.{event_id}::text AND escalation.queue_id = queue.{id}::text
    )
ORDER BY queue.{id}
LIMIT %(limit)s
FOR UPDATE OF queue SKIP LOCKED

-- name: ready_for_teacher
-- Led by the decisions, oldest first: there are few of them, however many rows are pending. What is to be mopped up is
-- for a worker that may.
SELECT queue.{id} AS id, coalesce(mark.interruptions, 0) AS interruptions, escalation.decided_at AS decided_at
FROM {escalations} AS escalation
JOIN {queue} AS queue ON queue.{id} = escalation.queue_id::{id_type}
LEFT JOIN {marks} AS mark ON mark.queue_id = escalation.queue_id
WHERE queue.{status} = 'pending'
    AND queue.{event_id}::text = escalation.event_id
    AND queue.{attempts} < %(max_attempts)s
    AND (%(mops_up)s OR escalation.reason <> 'mop_up')
    AND (mark.not_before IS NULL OR mark.not_before <= clock_timestamp())
ORDER BY escalation.decided_at, escalation.event_id
LIMIT %(limit)s
FOR UPDATE OF queue SKIP LOCKED

-- name: claim
-- Materialised, or more rows could be locked than are claimed. Attempts stay as they are: being claimed is no failure.
-- A row with which workers died is claimed alone, when it comes first; until then it is passed over.
WITH ready AS MATERIALIZED (
    {ready}
), numbered AS (
    SELECT id, interruptions, row_number() OVER (ORDER BY decided_at, id) AS place FROM ready
), chosen AS (
    SELECT id FROM numbered
    WHERE CASE
        WHEN EXISTS (SELECT FROM numbered WHERE place = 1 AND interruptions >= %(alone_from)s) THEN place = 1
        ELSE interruptions < %(alone_from)s
    END
)
UPDATE {queue} AS queue
SET {status} = 'claimed',
    {claimed_by} = %(fence)s,
    {claimed_at} = clock_timestamp(),
    {claim_expires_at} = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM chosen
WHERE queue.{id} = chosen.id
RETURNING queue.{id}::text AS queue_id;

-- name: fetch_claimed
-- A statement of its own, for it must see decisions that were persisted while the claim waited for its locks. Sizes are
-- summed as they will be here; that of a text need not be unpacked for it. There is always a first row. Times as JSON
-- have one form whatever the session's habits are.
WITH weighed AS (
    SELECT
        queue.{id} AS id,
        queue.{event_id}::text AS event_id,
        queue.{attempts} AS attempts,
        {event_key} AS known_event_id,
        {arena} AS arena,
        {content} AS content,
        {attributes} AS attributes,
        {participant_set} AS participant_set,
        {disclosure_class} AS disclosure_class,
        {source_kind} AS source_kind,
        {emitted_at} AS emitted_at,
        sum(coalesce(octet_length({content}::text), 0) + coalesce(octet_length({attributes}::text), 0))
            OVER (ORDER BY queue.{id} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM {queue} AS queue
    LEFT JOIN {events} AS event ON {event_key} = queue.{event_id}
    WHERE queue.{id} = ANY(%(queue_ids)s::text[]::{id_type}[])
        AND queue.{status} = 'claimed'
        AND queue.{claimed_by} = %(fence)s
)
SELECT
    id::text AS queue_id,
    weighed.event_id AS event_id,
    attempts,
    coalesce(mark.interruptions, 0) AS interruptions,
    escalation.reason AS reason,
    escalation.decided_at AS decided_at,
    known_event_id::text AS known_event_id,
    arena::text AS arena,
    content::text AS content,
    attributes::text AS attributes,
    to_jsonb(participant_set)::text AS participant_set,
    disclosure_class::text AS disclosure_class,
    source_kind::text AS source_kind,
    to_jsonb(emitted_at) #>> '{{}}' AS emitted_at
FROM weighed
LEFT JOIN {marks} AS mark ON mark.queue_id = id::text
LEFT JOIN {escalations} AS escalation ON escalation.event_id = weighed.event_id AND escalation.queue_id = id::text
WHERE coalesce(bytes_before, 0) < %(most_bytes)s
ORDER BY id;

-- name: held
-- Locked in the order of ids, as everywhere, so that two statements never wait for each other in a circle.
SELECT queue.{id} AS id
FROM {queue} AS queue
JOIN unnest(%(queue_ids)s::text[]::{id_type}[], %(fences)s::text[]) AS claim (id, fence)
    ON queue.{id} = claim.id AND queue.{claimed_by} = claim.fence
WHERE queue.{status} = 'claimed'
ORDER BY queue.{id}
FOR UPDATE OF queue

-- name: closed
-- What has failed for good waits for nobody. A mopping up that has is closed, and leaves the student's write as it is.
dropped AS (
    DELETE FROM {escalations} AS escalation USING ended
    WHERE ended.final AND escalation.event_id = ended.event_id AND escalation.queue_id = ended.queue_id
    RETURNING escalation.event_id AS event_id, escalation.reason AS reason, ended.error AS error
), given_up AS (
    UPDATE {orders} AS placed SET finished_at = clock_timestamp(), last_error = dropped.error
    FROM dropped
    WHERE dropped.reason = 'mop_up' AND placed.event_id = dropped.event_id AND placed.finished_at IS NULL
)

-- name: renew
WITH held AS MATERIALIZED (
    {held}
)
UPDATE {queue} AS queue
SET {claim_expires_at} = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM held
WHERE queue.{id} = held.id
RETURNING queue.{id}::text AS queue_id;

-- name: release
WITH held AS MATERIALIZED (
    {held}
)
UPDATE {queue} AS queue
SET {status} = 'pending',
    {claimed_by} = NULL,
    {claimed_at} = NULL,
    {claim_expires_at} = NULL,
    {last_error} = coalesce(%(reason)s, queue.{last_error})
FROM held
WHERE queue.{id} = held.id
RETURNING queue.{id}::text AS queue_id;

-- name: fail
-- The only statement that charges. One whose lease has expired is not charged: that is an interruption.
WITH ended AS (
    UPDATE {queue} AS queue
    SET {attempts} = queue.{attempts} + 1,
        {status} = (CASE
            WHEN NOT %(final)s AND queue.{attempts} + 1 < %(max_attempts)s THEN 'pending'
            WHEN EXISTS (
                SELECT FROM {escalations} AS escalation
                WHERE escalation.event_id = queue.{event_id}::text AND escalation.queue_id = queue.{id}::text
                    AND escalation.reason = 'mop_up'
            ) THEN 'done'
            ELSE 'failed'
        END)::{status_type},
        {claimed_by} = NULL,
        {claimed_at} = NULL,
        {claim_expires_at} = NULL,
        {last_error} = %(error)s
    WHERE queue.{id} = %(queue_id)s::text::{id_type}
        AND queue.{status} = 'claimed'
        AND queue.{claimed_by} = %(fence)s
        AND queue.{claim_expires_at} > clock_timestamp()
    RETURNING
        queue.{id}::text AS queue_id,
        queue.{event_id}::text AS event_id,
        queue.{attempts} AS attempts,
        queue.{last_error}::text AS error,
        queue.{status} <> 'pending' AS final
), delayed AS (
    INSERT INTO {marks} AS mark (queue_id, not_before)
    SELECT queue_id, clock_timestamp() + make_interval(secs => %(wait_s)s) FROM ended WHERE NOT final
    ON CONFLICT (queue_id) DO UPDATE SET not_before = EXCLUDED.not_before
), {closed}
SELECT attempts, final FROM ended;

-- name: reap
-- A statement of its own: one query for "pending or expired" uses neither index. A row that somebody is writing to is
-- locked and left alone.
WITH expired AS MATERIALIZED (
    SELECT queue.{id} AS id, queue.{event_id}::text AS event_id, queue.{attempts} AS attempts
    FROM {queue} AS queue
    WHERE queue.{status} = 'claimed' AND queue.{claim_expires_at} <= clock_timestamp()
    ORDER BY queue.{claim_expires_at}
    LIMIT %(limit)s
    FOR UPDATE OF queue SKIP LOCKED
), counted AS (
    INSERT INTO {marks} AS mark (queue_id, interruptions)
    SELECT id::text, 1 FROM expired
    ON CONFLICT (queue_id) DO UPDATE SET interruptions = mark.interruptions + 1
    RETURNING queue_id, interruptions
), judged AS (
    SELECT
        expired.id,
        counted.interruptions,
        escalation.reason,
        left(CASE
            WHEN counted.interruptions >= %(quarantine_at)s
                THEN format('quarantined: its claim was lost %%s times, most likely because it kills its worker',
                    counted.interruptions)
            WHEN expired.attempts >= %(max_attempts)s
                THEN format('its claim expired after %%s failed attempts', expired.attempts)
        END, %(longest_error)s) AS error
    FROM expired
    JOIN counted ON counted.queue_id = expired.id::text
    LEFT JOIN {escalations} AS escalation
        ON escalation.event_id = expired.event_id AND escalation.queue_id = counted.queue_id
), ended AS (
    UPDATE {queue} AS queue
    SET {status} = (CASE
            WHEN judged.error IS NULL THEN 'pending' WHEN judged.reason = 'mop_up' THEN 'done' ELSE 'failed'
        END)::{status_type},
        {claimed_by} = NULL,
        {claimed_at} = NULL,
        {claim_expires_at} = NULL,
        {last_error} = coalesce(judged.error, queue.{last_error})
    FROM judged
    WHERE queue.{id} = judged.id
    RETURNING
        queue.{id}::text AS queue_id,
        queue.{event_id}::text AS event_id,
        judged.interruptions AS interruptions,
        judged.error AS error,
        judged.error IS NOT NULL AS final
), {closed}
SELECT queue_id, event_id, interruptions, final AS failed FROM ended;

-- name: lane_states
-- Two branches, each with its own index, rather than one condition that uses none. What waits for others than this
-- worker is left out.
WITH open AS (
    SELECT {id}::text AS id, {event_id}::text AS event_id, {created_at}::timestamptz AS created_at, false AS claimed
    FROM {queue} WHERE {status} = 'pending' AND {attempts} < %(max_attempts)s
    UNION ALL
    SELECT {id}::text, {event_id}::text, {created_at}::timestamptz, true
    FROM {queue} WHERE {status} = 'claimed'
), placed AS (
    SELECT
        open.claimed,
        escalation.event_id IS NOT NULL AS escalated,
        escalation.reason AS reason,
        coalesce(escalation.decided_at, open.created_at) AS since,
        CASE WHEN NOT open.claimed AND mark.not_before > clock_timestamp() THEN mark.not_before END AS not_before
    FROM open
    LEFT JOIN {marks} AS mark ON mark.queue_id = open.id
    LEFT JOIN {escalations} AS escalation ON escalation.event_id = open.event_id AND escalation.queue_id = open.id
)
SELECT
    escalated,
    count(*) FILTER (WHERE NOT claimed) AS waiting,
    count(not_before) AS delayed,
    count(*) FILTER (WHERE claimed) AS claimed,
    extract(epoch FROM clock_timestamp() - min(since))::float8 AS oldest_age_s,
    extract(epoch FROM min(not_before) - clock_timestamp())::float8 AS next_try_in_s
FROM placed
WHERE %(mops_up)s OR claimed OR reason IS DISTINCT FROM 'mop_up'
GROUP BY escalated;
