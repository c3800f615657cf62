-- A student's write taken back and a teacher's put in its place, and the way back. Names in braces are the team's tables
-- and columns, or our tables. What is per table is put together as arms of one statement: each round trip counts.

-- name: lock_ledger
-- Rows are kept and compared as texts, which must read the same in every session.
SELECT
    set_config('TimeZone', 'UTC', true),
    set_config('DateStyle', 'ISO, YMD', true),
    set_config('IntervalStyle', 'postgres', true),
    set_config('bytea_output', 'hex', true),
    set_config('extra_float_digits', '1', true)
FROM {ledger}
WHERE event_id = %(event_id)s
ORDER BY producer
FOR UPDATE;

-- name: producers
-- A statement of its own: one that waited for the lock does not see the rows that were added meanwhile.
SELECT producer FROM {ledger} WHERE event_id = %(event_id)s;

-- name: touched_rows
SELECT table_name AS section, row_key ->> 0 AS row_id, created, before, after
FROM {touched}
WHERE event_id = %(event_id)s;

-- name: lock_rows_arm
-- Locked in the order in which writers lock them: Python's order of texts is that of their bytes.
SELECT * FROM (
    SELECT
        {section} AS section,
        held.{id}::text AS row_id,
        jsonb_build_array({key}) AS key,
        jsonb_build_object({pairs}) AS columns,
        -- Unpacked once for all four, for it may hold thousands; and not in FROM: a row that was waited for would be judged
        -- by what it carried before.
        (
            SELECT jsonb_build_array(
                %(event_id)s::text = ANY (ids),
                %(event_id)s::text <> ANY (ids),
                ids[cardinality(ids)] = %(event_id)s::text,
                cardinality(ids)
            )
            FROM (SELECT COALESCE(held.{provenance}, '{{}}') || '{{}}'::text[] AS ids OFFSET 0) AS unpacked
        ) AS support
    FROM {table} AS held
    WHERE held.{id} = ANY (%({section_ids})s || ARRAY(
        SELECT keyed.{id}
        FROM jsonb_to_recordset(%({section_keys})s::jsonb) AS given ({key_types})
        -- The planner takes any such text for a hundred rows, and would read the whole table; so it asks the index.
        CROSS JOIN LATERAL (SELECT whole.{id} FROM {table} AS whole WHERE {same_key} OFFSET 0) AS keyed
    ))
    ORDER BY {key_order}
    FOR UPDATE
) AS {section_name}

-- name: follow_merges
-- The bound ends a ring, which no deduplication should leave.
WITH RECURSIVE followed AS (
    SELECT merge.{merged_id}::text AS row_id, merge.{kept_id} AS kept, 1 AS step
    FROM {merges} AS merge
    WHERE merge.{merged_id} = ANY (%(ids)s)
    UNION ALL
    SELECT followed.row_id, merge.{kept_id}, followed.step + 1
    FROM followed
    JOIN {merges} AS merge ON merge.{merged_id} = followed.kept
    WHERE followed.step < 100
)
SELECT DISTINCT ON (row_id) row_id, kept::text AS kept FROM followed ORDER BY row_id, step DESC;

-- name: digests_arm
SELECT {section} AS section, held.{id}::text AS row_id, md5(to_jsonb(held)::text) AS digest
FROM {table} AS held
WHERE held.{id} = ANY (%({section_ids})s)

-- name: deleted
DELETE FROM {table} AS held WHERE held.{id} = ANY (%({section_deleted})s)
RETURNING held.{id}::text AS row_id, to_jsonb(held) AS image, NULL AS digest

-- name: amended
-- A statement does not see its own changes, so the image is of the row as it was.
UPDATE {table} AS held
SET {provenance} = array_remove(COALESCE(held.{provenance}, '{{}}'), %(event_id)s::text) || CASE
        WHEN (%({section_amendments})s::jsonb -> held.{id}::text ->> 'carries')::boolean THEN ARRAY[%(event_id)s::text]
        ELSE '{{}}'
    END{columns_amended}
WHERE held.{id} = ANY (%({section_amended})s)
RETURNING
    held.{id}::text AS row_id,
    (SELECT to_jsonb(before) FROM {table} AS before WHERE before.{id} = held.{id}) AS image,
    md5(to_jsonb(held)::text) AS digest

-- name: columns_amended
, ({columns}) = (
    SELECT {columns} FROM jsonb_populate_record(held, %({section_amendments})s::jsonb -> held.{id}::text -> 'columns')
)

-- name: made
-- In the order in which writers make rows. One that another made at the same moment is not made.
INSERT INTO {table} AS held ({all_columns}, {provenance})
SELECT {given_names}, ARRAY[%(event_id)s::text] FROM json_to_recordset(%({section_made})s::json) AS given ({given_types})
ON CONFLICT ({conflict}) DO NOTHING
RETURNING held.{id}::text AS row_id, NULL::jsonb AS image, md5(to_jsonb(held)::text) AS digest

-- name: remove_rows
DELETE FROM {table} AS held WHERE held.{id} = ANY (%(ids)s);

-- name: bequeath
-- A row that the student created and that another student-written event supports becomes that one's creation: else nobody
-- would delete it in the end. The inner OFFSET keeps the search from reading the whole table: it ends at the first.
UPDATE {touched} AS heir
SET created = true
FROM {table} AS held
CROSS JOIN LATERAL (
    SELECT supporter.event_id
    FROM unnest(held.{provenance}) WITH ORDINALITY AS supporter (event_id, place)
    CROSS JOIN LATERAL (
        SELECT FROM {touched} AS own
        WHERE own.event_id = supporter.event_id
            AND own.table_name = {section}
            AND own.row_key = jsonb_build_array(held.{id}::text)
        OFFSET 0
    ) AS recorded
    WHERE supporter.event_id <> %(event_id)s
    ORDER BY supporter.place
    LIMIT 1
) AS first
WHERE held.{id} = ANY (%(ids)s)
    AND heir.event_id = first.event_id
    AND heir.table_name = {section}
    AND heir.row_key = jsonb_build_array(held.{id}::text)
    AND NOT heir.created
RETURNING heir.event_id AS event_id, held.{id}::text AS row_id;

-- name: finish
-- All changes and their receipt in one statement: no row is changed by two of them, and images need not travel.
WITH {changes} changed AS (
    SELECT NULL AS section, NULL AS row_id, NULL::jsonb AS image, NULL AS digest WHERE false {changed}
),
forgotten AS (
    DELETE FROM {touched} AS touched WHERE event_id = %(event_id)s RETURNING to_jsonb(touched) AS image
),
entered AS (
    INSERT INTO {ledger} AS ledger (event_id, producer, llm_model, system_prompt_hash, escalated, escalate_reason)
    VALUES (%(event_id)s, 'teacher', %(llm_model)s, %(system_prompt_hash)s, true, 'mop_up')
    RETURNING to_jsonb(ledger) AS image
),
finished AS (
    UPDATE {orders} SET finished_at = clock_timestamp(), last_error = NULL
    WHERE event_id = %(event_id)s
)
INSERT INTO {receipts} (event_id, before, after)
SELECT
    %(event_id)s,
    jsonb_build_object(
        'rows', rows.before,
        'ledger', to_jsonb(student),
        'touched', (SELECT COALESCE(jsonb_agg(image), '[]') FROM forgotten),
        'heirs', %(heirs)s::jsonb
    ),
    jsonb_build_object('rows', rows.after, 'ledger', entered.image, 'kept', %(kept)s::jsonb)
FROM entered, {ledger} AS student, (
    SELECT
        COALESCE(jsonb_agg(jsonb_build_object('section', section, 'row_id', row_id, 'image', image)), '[]') AS before,
        COALESCE(jsonb_agg(jsonb_build_object('section', section, 'row_id', row_id, 'digest', digest)), '[]') AS after
    FROM changed
) AS rows
WHERE student.event_id = %(event_id)s AND student.producer = 'student'
RETURNING id, (SELECT COALESCE(jsonb_agg(jsonb_build_array(section, row_id)), '[]') FROM changed WHERE image IS NULL) AS made;

-- name: change
{change} AS (
{statement}
),

-- name: changed
UNION ALL SELECT {section}, row_id, image, digest FROM {change}

-- name: lock_receipt
SELECT
    event_id,
    undone_at IS NOT NULL AS undone,
    after -> 'rows' AS left_rows,
    ARRAY(
        SELECT entry ->> 'section' || ' ' || (entry ->> 'row_id')
        FROM jsonb_array_elements(before -> 'rows') AS entry
        WHERE jsonb_typeof(entry -> 'image') = 'object'
    ) AS imaged,
    jsonb_array_length(before -> 'heirs') AS heirs
FROM {receipts}
WHERE id = %(receipt_id)s
FOR UPDATE;

-- name: ledger_is_as_left
SELECT
    jsonb_build_object('student', receipt.before -> 'ledger', 'teacher', receipt.after -> 'ledger') = (
        SELECT jsonb_object_agg(ledger.producer, to_jsonb(ledger)) FROM {ledger} AS ledger
        WHERE ledger.event_id = receipt.event_id
    ) AS same
FROM {receipts} AS receipt
WHERE receipt.id = %(receipt_id)s;

-- name: made_anew
-- Rows that were deleted, and whose key another row has by now.
SELECT held.{id}::text AS row_id
FROM {receipts} AS receipt
CROSS JOIN jsonb_array_elements(receipt.before -> 'rows') AS entry
CROSS JOIN jsonb_populate_record(NULL::{table}, entry -> 'image') AS image
JOIN {table} AS held ON {held_like_image}
WHERE receipt.id = %(receipt_id)s AND entry ->> 'section' = {section} AND entry ->> 'row_id' = ANY (%(row_ids)s::text[]);

-- name: writable_columns
SELECT attname
FROM pg_attribute
WHERE attrelid = {table_text}::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum;

-- name: put_back
UPDATE {table} AS held
SET {assignments}
FROM {receipts} AS receipt
CROSS JOIN jsonb_array_elements(receipt.before -> 'rows') AS entry
CROSS JOIN jsonb_populate_record(NULL::{table}, entry -> 'image') AS image
WHERE receipt.id = %(receipt_id)s
    AND entry ->> 'section' = {section}
    AND entry ->> 'row_id' = ANY (%(row_ids)s::text[])
    AND held.{id} = image.{id};

-- name: bring_back
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
SELECT {image_columns}
FROM {receipts} AS receipt
CROSS JOIN jsonb_array_elements(receipt.before -> 'rows') AS entry
CROSS JOIN jsonb_populate_record(NULL::{table}, entry -> 'image') AS image
WHERE receipt.id = %(receipt_id)s AND entry ->> 'section' = {section} AND entry ->> 'row_id' = ANY (%(row_ids)s::text[]);

-- name: disinherit
UPDATE {touched} AS heir
SET created = false
FROM {receipts} AS receipt
CROSS JOIN jsonb_array_elements(receipt.before -> 'heirs') AS entry
WHERE receipt.id = %(receipt_id)s
    AND heir.event_id = entry ->> 'event_id'
    AND heir.table_name = entry ->> 'section'
    AND heir.row_key = jsonb_build_array(entry ->> 'row_id')
    AND heir.created;

-- name: finish_undo
WITH receipt AS (
    UPDATE {receipts} SET undone_at = clock_timestamp() WHERE id = %(receipt_id)s RETURNING event_id, before
),
withdrawn AS (
    DELETE FROM {ledger} AS ledger USING receipt WHERE ledger.event_id = receipt.event_id AND ledger.producer = 'teacher'
)
INSERT INTO {touched}
SELECT record.* FROM receipt CROSS JOIN jsonb_populate_recordset(NULL::{touched}, receipt.before -> 'touched') AS record;
