-- Writing the graph, in batches. Names in braces are the team's tables and columns, or expressions built from them.

-- name: upsert
-- One statement for a batch, in the order of its keys, so that two workers never wait for each other in a ring. What it
-- reads as "held" in the last step is the row as it was before: a statement sees nothing of its own changes.
WITH given AS MATERIALIZED (
    SELECT * FROM ROWS FROM (
        json_to_recordset(%(rows)s::json) AS ({given_types}, event_ids text[])
    ) WITH ORDINALITY AS given ({given_names}, event_ids, place)
),
written AS (
    INSERT INTO {table} AS held ({columns}, {provenance})
    SELECT {given_names}, event_ids FROM given ORDER BY place
    ON CONFLICT ({key}) DO UPDATE SET
        -- A provenance of thousands of ids is unpacked whenever it is looked at, so not once for each id.
        {provenance} = COALESCE(held.{provenance}, '{{}}') || CASE
            WHEN cardinality(excluded.{provenance}) = 1 THEN excluded.{provenance}
            ELSE ARRAY(SELECT unnest(excluded.{provenance}) EXCEPT SELECT unnest(held.{provenance}))
        END{accretions}
    -- A row that carries the ids already is another's, or was written before: it is left as it is.
    WHERE NOT COALESCE(held.{provenance}, '{{}}') @> excluded.{provenance}
    RETURNING
        {written_values}, held.{id} AS row_id, {created} AS created, cardinality(held.{provenance}) AS supporters
)
SELECT
    written.row_id::text AS row_id,
    written.created AS created,
    CASE
        WHEN written.created OR cardinality(given.event_ids) = 1 THEN given.event_ids
        ELSE ARRAY(SELECT unnest(given.event_ids) EXCEPT SELECT unnest(held.{provenance}))
    END AS event_ids,
    {before} AS before,
    {after} AS after
FROM written
JOIN given ON {same_key}
LEFT JOIN {table} AS held ON held.{id} = written.row_id AND NOT written.created
ORDER BY given.place;

-- name: created
held.xmax = 0

-- name: created_in_a_partition
-- Rows that go through a partitioned table have no system columns to tell by: one that was made here was not there before,
-- and bears an event of the batch first. One that somebody made meanwhile, for no event at all, would be taken for ours.
held.{provenance}[1] IN (SELECT unnest(event_ids) FROM given)
    AND NOT EXISTS (SELECT FROM {table} AS before WHERE before.{id} = held.{id})

-- name: fill
-- What the first event said stays.
, {column} = COALESCE(held.{column}, excluded.{column})

-- name: grow
, {column} = COALESCE(held.{column}, '{{}}') || ARRAY(
    SELECT added FROM unnest(excluded.{column}) AS added WHERE added <> ALL (COALESCE(held.{column}, '{{}}'))
)

-- name: nothing
NULL::text

-- name: before
CASE WHEN NOT written.created AND ({held}) IS DISTINCT FROM ({written}) THEN jsonb_build_object({held_pairs})::text END

-- name: after
-- Only where this write alone, of one event, changed the row: else nobody can say whose change it was.
CASE
    WHEN NOT written.created AND ({held}) IS DISTINCT FROM ({written})
        AND cardinality(given.event_ids) = 1
        AND written.supporters = COALESCE(cardinality(held.{provenance}), 0) + 1
    THEN jsonb_build_object('columns', jsonb_build_object({written_pairs}), 'supporters', written.supporters)::text
END

-- name: moment_as_text
-- As Python writes it, whatever time zone the session has.
to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')

-- name: record_touched
INSERT INTO {touched} (event_id, table_name, row_key, created, before, after)
SELECT event_id, table_name, row_key::jsonb, created::boolean, before::jsonb, after::jsonb
FROM ROWS FROM (
    json_array_elements_text(%(event_id)s), json_array_elements_text(%(table)s), json_array_elements(%(row_key)s),
    json_array_elements_text(%(created)s), json_array_elements_text(%(before)s), json_array_elements_text(%(after)s)
) AS touched (event_id, table_name, row_key, created, before, after)
ON CONFLICT DO NOTHING;

-- name: partitioned
SELECT section
FROM unnest(%(sections)s::text[], %(tables)s::text[]) AS named (section, name)
JOIN pg_class ON pg_class.oid = to_regclass(name) AND relkind = 'p';

-- name: has_rows_of_its_own
-- Of a view, what conflicts cannot be told.
SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass(%(table)s);

-- name: columns_to_be_filled
-- By whoever writes a row, for neither the table nor a trigger (for each row, before, of inserts) does.
SELECT attribute.attname
FROM pg_attribute AS attribute
JOIN pg_type AS type ON type.oid = attribute.atttypid
WHERE attribute.attrelid = to_regclass(%(table)s) AND attribute.attnum > 0 AND NOT attribute.attisdropped
    AND attribute.attnotnull AND NOT attribute.atthasdef AND type.typdefault IS NULL
    AND attribute.attidentity = '' AND attribute.attgenerated = ''
    AND NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = attribute.attrelid AND NOT tgisinternal AND tgtype & 7 = 7
    )
ORDER BY attribute.attnum;

-- name: bound_wait
-- Planning a statement locks its table, for a moment.
SELECT set_config('lock_timeout', '1s', true);

-- name: columns_of_table
SELECT attname FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;

-- name: unique_keys
-- What ON CONFLICT may name: one that is deferred, partial, still being built, or over expressions is none.
SELECT array_agg(attribute.attname)
FROM pg_index AS index
CROSS JOIN unnest(index.indkey::smallint[]) WITH ORDINALITY AS part (attnum, place)
JOIN pg_attribute AS attribute ON attribute.attrelid = index.indrelid AND attribute.attnum = part.attnum
WHERE index.indrelid = to_regclass(%(table)s)
    AND index.indisunique AND index.indisvalid AND index.indimmediate
    AND index.indpred IS NULL AND index.indexprs IS NULL
    AND part.place <= index.indnkeyatts
GROUP BY index.indexrelid;
