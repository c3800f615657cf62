-- Choosing what the teacher is to distil again, and ordering it. Names in braces are tables and the queue's columns.

-- name: candidates
-- Written by the student, never by the teacher, and not ordered yet; by age, so that a limit takes the oldest.
SELECT
    student.event_id AS event_id,
    student.llm_model AS llm_model,
    student.system_prompt_hash AS system_prompt_hash,
    student.distilled_at AS distilled_at
FROM {ledger} AS student
WHERE student.producer = 'student'
    AND (student.distilled_at, student.event_id) > (%(after_at)s::timestamptz, %(after_id)s::text)
    AND student.distilled_at < %(until)s::timestamptz
    AND (%(hash_start)s::text IS NULL OR starts_with(student.system_prompt_hash, %(hash_start)s::text))
    AND (%(event_ids)s::text[] IS NULL OR student.event_id = ANY (%(event_ids)s::text[]))
    AND NOT EXISTS (
        SELECT FROM {ledger} AS teacher WHERE teacher.event_id = student.event_id AND teacher.producer = 'teacher'
    )
    AND NOT EXISTS (
        SELECT FROM {orders} AS placed WHERE placed.event_id = student.event_id AND placed.finished_at IS NULL
    )
ORDER BY student.distilled_at, student.event_id
LIMIT %(page_size)s;

-- name: said
-- What the student said last, beside the event itself: what today's gates are asked about. The ids are given twice, for an
-- index knows them by their own type alone.
SELECT
    asked.event_id AS asked_event_id,
    answer.response AS response,
    answer.signals AS signals,
    {event_key}::text AS known_event_id,
    {arena}::text AS arena,
    {content}::text AS content,
    {attributes}::text AS attributes,
    to_jsonb({participant_set})::text AS participant_set,
    {disclosure_class}::text AS disclosure_class,
    {source_kind}::text AS source_kind,
    to_jsonb({emitted_at}) #>> '{{}}' AS emitted_at
FROM unnest(%(event_ids)s::text[]) AS asked (event_id)
CROSS JOIN LATERAL (
    SELECT held.response, held.signals FROM {answers} AS held
    WHERE held.event_id = asked.event_id
    ORDER BY held.answered_at DESC
    LIMIT 1
) AS answer
LEFT JOIN {events} AS event ON {event_key} = ANY (%(queue_event_ids)s) AND {event_key}::text = asked.event_id
ORDER BY asked.event_id;

-- name: order
-- The queue row is pending again, with all its attempts, and in the teacher's lane at once. A row that anybody is busy
-- with, and an event that the teacher wrote meanwhile, is left alone.
WITH chosen AS MATERIALIZED (
    SELECT queue.{id} AS id, queue.{event_id}::text AS event_id
    FROM {queue} AS queue
    WHERE queue.{event_id} = ANY (%(queue_event_ids)s)
        AND queue.{status} = 'done'
        AND EXISTS (
            SELECT FROM {ledger} AS student
            WHERE student.event_id = queue.{event_id}::text AND student.producer = 'student'
        )
        AND NOT EXISTS (
            SELECT FROM {ledger} AS teacher
            WHERE teacher.event_id = queue.{event_id}::text AND teacher.producer = 'teacher'
        )
    ORDER BY queue.{id}
    FOR UPDATE OF queue
),
latest AS (
    SELECT DISTINCT ON (event_id) id, event_id FROM chosen ORDER BY event_id, id DESC
),
placed AS (
    INSERT INTO {orders} AS placed (event_id, reason, ordered_by)
    SELECT event_id, %(reason)s, %(ordered_by)s FROM latest ORDER BY event_id
    ON CONFLICT (event_id) DO UPDATE SET
        reason = EXCLUDED.reason,
        ordered_by = EXCLUDED.ordered_by,
        ordered_at = clock_timestamp(),
        last_error = NULL,
        finished_at = NULL
    WHERE placed.finished_at IS NOT NULL
    RETURNING placed.event_id
),
ordered AS (
    SELECT latest.id, latest.event_id FROM latest JOIN placed ON placed.event_id = latest.event_id
),
escalated AS (
    INSERT INTO {escalations} AS escalation (event_id, queue_id, reason)
    SELECT event_id, id::text, 'mop_up' FROM ordered ORDER BY event_id
    ON CONFLICT (event_id, queue_id) DO UPDATE SET reason = EXCLUDED.reason, decided_at = clock_timestamp()
),
unmarked AS (
    DELETE FROM {marks} AS mark USING ordered WHERE mark.queue_id = ordered.id::text
)
UPDATE {queue} AS queue
SET {status} = 'pending',
    {attempts} = 0,
    {claimed_by} = NULL,
    {claimed_at} = NULL,
    {claim_expires_at} = NULL,
    {last_error} = NULL
FROM ordered
WHERE queue.{id} = ordered.id
RETURNING ordered.event_id AS event_id;
