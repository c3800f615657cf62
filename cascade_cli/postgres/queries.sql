-- Reading the team's tables. Names in braces are filled with quoted identifiers from the mapping; values are bound.
-- Every page is a short transaction of its own, so no snapshot is held while its rows are worked on.

-- name: page_settings
-- Texts of times come back in one form whatever the server's habits are.
SELECT
    set_config('transaction_read_only', 'on', true),
    set_config('statement_timeout', %(timeout_ms)s, true),
    set_config('timezone', 'UTC', true),
    set_config('datestyle', 'ISO, YMD', true);

-- name: server_clock
SELECT clock_timestamp();

-- name: may_insert
SELECT coalesce(has_table_privilege(to_regclass(%(table)s), 'INSERT'), false);

-- name: table_state
SELECT
    to_regclass(%(table)s) IS NOT NULL AS present,
    coalesce(has_any_column_privilege(to_regclass(%(table)s), 'SELECT'), false) AS readable;

-- name: tables_of_schema
SELECT relation.relname AS name
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
WHERE namespace.nspname = %(schema)s AND relation.relkind IN ('r', 'v', 'm', 'p', 'f');

-- name: columns_of_table
SELECT attname AS name
FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped;

-- name: types_of_columns
SELECT attribute.attname AS name, namespace.nspname AS type_schema, type.typname AS type
FROM pg_attribute AS attribute
JOIN pg_type AS type ON type.oid = attribute.atttypid
JOIN pg_namespace AS namespace ON namespace.oid = type.typnamespace
WHERE attribute.attrelid = to_regclass(%(table)s) AND attribute.attnum > 0 AND NOT attribute.attisdropped;

-- name: lengths_of_columns
-- Of texts that may have no more than so many characters.
SELECT column_name::text AS name, character_maximum_length::integer AS characters
FROM information_schema.columns
WHERE table_schema = %(schema)s AND table_name = %(table)s AND character_maximum_length IS NOT NULL;

-- name: from_moment
{created_at} >= %(after_at)s

-- name: after_trace
({created_at}, {trace_id}) > (%(after_at)s, %(after_id)s)

-- name: page_of_traces
-- Sizes are summed over compressed values, which need not be fetched for it; a page always has its first row.
WITH page AS MATERIALIZED (
    SELECT
        {trace_id} AS trace_id,
        {trace_event_id} AS event_id,
        {system_prompt_hash} AS system_prompt_hash,
        {llm_model} AS llm_model,
        {user_prompt} AS user_prompt,
        {raw_response} AS raw_response,
        {llm_chunk_ms} AS llm_chunk_ms,
        {created_at} AS created_at
    FROM {traces}
    WHERE {place}
    ORDER BY {created_at}, {trace_id}
    LIMIT %(page_size)s
), joined AS (
    SELECT
        page.*,
        event.{event_id} AS known_event_id,
        {arena} AS arena,
        {content} AS content,
        {attributes} AS attributes,
        {participant_set} AS participant_set,
        {disclosure_class} AS disclosure_class,
        {source_kind} AS source_kind,
        {emitted_at} AS emitted_at
    FROM page
    LEFT JOIN {events} AS event ON event.{event_id} = page.event_id
), weighed AS (
    SELECT
        joined.*,
        sum(coalesce(pg_column_size(raw_response), 0) + coalesce(pg_column_size(content), 0)
            + coalesce(pg_column_size(user_prompt), 0))
            OVER (ORDER BY created_at, trace_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM joined
)
SELECT
    trace_id::text,
    event_id::text,
    system_prompt_hash::text,
    llm_model::text,
    user_prompt::text,
    raw_response::text,
    llm_chunk_ms::float8,
    created_at::text,
    known_event_id::text,
    arena::text,
    content::text,
    attributes::text,
    to_jsonb(participant_set)::text AS participant_set,
    disclosure_class::text,
    source_kind::text,
    emitted_at::text
FROM weighed
WHERE coalesce(bytes_before, 0) < %(page_bytes)s
ORDER BY weighed.created_at, weighed.trace_id;

-- name: page_of_awaited
-- Led by the decisions; one whose row is gone, or was ended by somebody else, waits for nobody. The student's answer was
-- written with the decision, and labels are ordered by it.
SELECT
    escalation.event_id AS event_id,
    escalation.queue_id AS queue_id,
    escalation.reason AS reason,
    escalation.decided_at AS persisted_at,
    coalesce(
        (
            SELECT max(answer.answered_at)
            FROM {answers} AS answer
            WHERE answer.event_id = escalation.event_id
                AND answer.sample_index = 0
                AND answer.answered_at <= escalation.decided_at
        ),
        escalation.decided_at
    ) AS decided_at
FROM {escalations} AS escalation
JOIN {queue} AS queue ON queue.{id} = escalation.queue_id::{id_type} AND queue.{event_id}::text = escalation.event_id
WHERE queue.{status} IN ('pending', 'claimed')
    AND queue.{attempts} < %(max_attempts)s
    AND (escalation.decided_at, escalation.event_id, escalation.queue_id)
        > (%(after_at)s, %(after_event_id)s, %(after_queue_id)s)
ORDER BY escalation.decided_at, escalation.event_id, escalation.queue_id
LIMIT %(page_size)s;

-- name: undated_traces
SELECT count(*) AS undated FROM {traces} WHERE {created_at} IS NULL;

-- name: page_of_ledger
-- One producer at a time, for that is how its index begins.
SELECT
    event_id, producer, llm_model, system_prompt_hash, escalated, escalate_reason, distilled_at
FROM {ledger}
WHERE producer = %(producer)s AND (distilled_at, event_id) > (%(after_at)s, %(after_id)s)
ORDER BY distilled_at, event_id
LIMIT %(page_size)s;

-- name: page_of_answers
SELECT
    event_id, response, student_model, prompt_shape, sample_index, student_ms, signals::text, answered_at
FROM {answers}
WHERE (answered_at, event_id, student_model, prompt_shape, sample_index)
    > (%(after_at)s, %(event_id)s, %(student_model)s, %(prompt_shape)s, %(sample_index)s)
ORDER BY answered_at, event_id, student_model, prompt_shape, sample_index
LIMIT %(page_size)s;
