-- Every statement of the workspace. A batch stands under the name "batch" as one array per column, which is hundreds of
-- times faster than a row at a time; all else is bound.

-- name: schema_table_exists
SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = 'schema_version' AND NOT internal;

-- name: schema_version
SELECT coalesce(max(version), 0) FROM schema_version;

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY);

-- name: record_schema_version
INSERT INTO schema_version VALUES ($version);

-- name: has_long_texts
SELECT count(*) > 0 FROM long_texts;

-- name: remember_long_texts
INSERT OR IGNORE INTO long_texts VALUES (true);

-- name: leave_apart
SET max_vacuum_tasks = 0;

-- name: put_together
RESET max_vacuum_tasks;

-- name: give_room
SET memory_limit = $memory;

-- name: insert_events
INSERT OR IGNORE INTO events
SELECT event_id, arena, content, attributes, participant_set, disclosure_class, source_kind, emitted_at
FROM batch;

-- name: insert_traces
INSERT OR IGNORE INTO traces
SELECT
    trace_id, event_id, raw_response, system_prompt_hash, llm_model, user_prompt,
    nullif(llm_ms, 'NaN'), created_at, coalesce(created_at, TIMESTAMP '0001-01-01')
FROM batch;

-- name: insert_answers
INSERT OR IGNORE INTO student_answers (
    event_id, student_model, prompt_shape, sample_index, response, student_ms, signals, answered_at
)
SELECT event_id, student_model, prompt_shape, sample_index, response, nullif(student_ms, 'NaN'), signals, answered_at
FROM batch;

-- name: insert_outcomes
-- The requests of one run about one question add up. Those that an outcome brings along from one whose place it took in
-- the spool are known already where that one was folded before.
INSERT OR IGNORE INTO student_answers (
    event_id, student_model, prompt_shape, sample_index, response, student_ms, signals,
    run_id, requests, prompt_tokens, completion_tokens, finish_reason, answered_at
)
SELECT
    event_id, student_model, prompt_shape, sample_index, response, nullif(student_ms, 'NaN'), signals, batch.run_id,
    batch.requests + CASE
        WHEN known.run_id IS DISTINCT FROM batch.run_id THEN 0
        WHEN known.spool = $spool AND known.seq = batch.earlier_seq THEN known.requests - batch.earlier
        ELSE known.requests
    END,
    nullif(prompt_tokens, -1), nullif(completion_tokens, -1), finish_reason, came_at
FROM batch LEFT JOIN student_errors AS known USING (event_id, student_model, prompt_shape, sample_index)
WHERE error IS NULL;

-- name: insert_errors
-- Only what came later than what is known: a later number of the same spool, or whatever another spool holds. So a fold
-- that was cut off can be repeated, and clocks may go as they like.
INSERT OR REPLACE INTO student_errors
SELECT
    event_id, student_model, prompt_shape, sample_index, batch.error, batch.detail, batch.outage, batch.run_id,
    batch.requests + CASE
        WHEN known.run_id IS DISTINCT FROM batch.run_id THEN 0
        WHEN known.spool = $spool AND known.seq = batch.earlier_seq THEN known.requests - batch.earlier
        ELSE known.requests
    END,
    batch.came_at, $spool, batch.seq
FROM batch
    ANTI JOIN student_answers USING (event_id, student_model, prompt_shape, sample_index)
    LEFT JOIN student_errors AS known USING (event_id, student_model, prompt_shape, sample_index)
WHERE error IS NOT NULL AND (known.spool IS DISTINCT FROM $spool OR known.seq < batch.seq);

-- name: settle_errors
DELETE FROM student_errors
WHERE (event_id, student_model, prompt_shape, sample_index) IN (
    SELECT (event_id, student_model, prompt_shape, sample_index) FROM batch WHERE error IS NULL
);

-- name: answered_in_run
SELECT count(*), coalesce(sum(requests), 0), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
FROM student_answers
WHERE run_id = $run_id;

-- name: failed_in_run
SELECT kind, count(*), sum(requests) FROM student_errors WHERE run_id = $run_id GROUP BY kind ORDER BY kind;

-- name: first_errors
SELECT event_id, kind, detail FROM student_errors WHERE run_id = $run_id ORDER BY failed_at, event_id LIMIT $limit;

-- name: past_answers
SELECT avg(completion_tokens), avg(student_ms)
FROM student_answers
WHERE student_model = $student_model AND prompt_shape = $prompt_shape;

-- name: teacher_length
SELECT avg(length(raw_response)) FROM traces WHERE $since::TIMESTAMP IS NULL OR created_at >= $since::TIMESTAMP;

-- name: count_open
-- Of each event the questions that have neither an answer nor an error that counts.
WITH asked AS (
    SELECT event_id, sample_index FROM student_answers
    WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND sample_index < $samples
    UNION
    SELECT event_id, sample_index FROM student_errors
    WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND sample_index < $samples
      AND NOT outage AND (NOT $retry_errors OR run_id = $run_id)
),
done AS (SELECT event_id, count(*) AS questions FROM asked GROUP BY event_id)
SELECT coalesce(sum($samples - coalesce(questions, 0)), 0)::BIGINT
FROM (
    SELECT DISTINCT event_id FROM traces WHERE $since::TIMESTAMP IS NULL OR created_at >= $since::TIMESTAMP
) LEFT JOIN done USING (event_id);

-- name: next_traces
-- A stretch of traces in the order of pages: which of them are the first of their event, and one with an open question.
-- Those of one moment, and undated ones, come as they are stored, so that the texts of a page lie together.
WITH stretch AS (
    SELECT event_id, ordered_at, trace_id, rowid AS place
    FROM traces
    WHERE ordered_at >= $after_at
      AND (ordered_at > $after_at OR trace_id > $after_id)
      AND ($since::TIMESTAMP IS NULL OR created_at >= $since::TIMESTAMP)
    ORDER BY ordered_at, trace_id
    LIMIT $stretch
),
asked AS (
    SELECT event_id, sample_index FROM student_answers
    WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND sample_index < $samples
      AND event_id IN (SELECT event_id FROM stretch)
    UNION
    SELECT event_id, sample_index FROM student_errors
    WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND sample_index < $samples
      AND event_id IN (SELECT event_id FROM stretch)
      AND NOT outage AND (NOT $retry_errors OR run_id = $run_id)
),
done AS (SELECT event_id FROM asked GROUP BY event_id HAVING count(*) >= $samples)
SELECT
    event_id, ordered_at, trace_id,
    NOT EXISTS (SELECT * FROM done WHERE done.event_id = stretch.event_id)
    AND NOT EXISTS (
        SELECT * FROM traces AS earlier
        WHERE earlier.event_id = stretch.event_id
          AND (earlier.ordered_at, earlier.trace_id) < (stretch.ordered_at, stretch.trace_id)
          AND ($since::TIMESTAMP IS NULL OR earlier.created_at >= $since::TIMESTAMP)
    )
FROM stretch
ORDER BY ordered_at, place;

-- name: sizes_of_prompts
-- In bytes; null where there is no prompt, or one of nothing, or it is not wanted. Row numbers first, here and below: the
-- long texts of all other rows stay unread.
SELECT trace_id, CASE
    WHEN $built THEN NULL
    WHEN strlen(user_prompt) > 1000 THEN least(strlen(user_prompt), 4 * $most_chars)
    WHEN trim(user_prompt, E' \t\r\n') <> '' THEN strlen(user_prompt)
END
FROM traces
WHERE rowid IN (SELECT rowid FROM traces WHERE trace_id IN (SELECT unnest($trace_ids::VARCHAR[])));

-- name: prompts_of
SELECT trace_id, left(user_prompt, $most_chars + 1)
FROM traces
WHERE rowid IN (SELECT rowid FROM traces WHERE trace_id IN (SELECT unnest($trace_ids::VARCHAR[])));

-- name: sizes_of_events
SELECT event_id, least(coalesce(strlen(content), 0), 4 * $most_chars) + strlen(attributes)
FROM events
WHERE rowid IN (SELECT rowid FROM events WHERE event_id IN (SELECT unnest($event_ids::VARCHAR[])));

-- name: asked_of
SELECT event_id, sample_index FROM student_answers
WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND event_id IN (SELECT unnest($event_ids::VARCHAR[]))
UNION ALL
SELECT event_id, sample_index FROM student_errors
WHERE student_model = $student_model AND prompt_shape = $prompt_shape AND event_id IN (SELECT unnest($event_ids::VARCHAR[]))
  AND NOT outage AND (NOT $retry_errors OR run_id = $run_id);

-- name: refresh_signals
-- What is known of an answer may come later than the answer.
UPDATE student_answers SET signals = batch.signals
FROM batch
WHERE batch.signals IS NOT NULL
  AND student_answers.event_id = batch.event_id
  AND student_answers.student_model = batch.student_model
  AND student_answers.prompt_shape = batch.prompt_shape
  AND student_answers.sample_index = batch.sample_index
  AND student_answers.signals IS DISTINCT FROM batch.signals;

-- name: changed_traces
SELECT count(*) FROM batch JOIN traces USING (trace_id) WHERE batch.said IS DISTINCT FROM traces.raw_response;

-- name: changed_answers
SELECT count(*)
FROM batch JOIN student_answers USING (event_id, student_model, prompt_shape, sample_index)
WHERE batch.said IS DISTINCT FROM student_answers.response;

-- name: upsert_ledger
INSERT OR REPLACE INTO ledger
SELECT
    event_id, producer, llm_model, system_prompt_hash, escalated::BOOLEAN, escalate_reason, distilled_at
FROM batch;

-- name: page_of_traces
SELECT trace_id, event_id, raw_response, system_prompt_hash, llm_model, user_prompt, llm_ms, created_at, ordered_at
FROM traces
WHERE ordered_at >= $after_at
  AND (ordered_at > $after_at OR trace_id > $after_id)
  AND ($since::TIMESTAMP IS NULL OR created_at >= $since::TIMESTAMP)
  AND ($until::TIMESTAMP IS NULL OR created_at < $until::TIMESTAMP)
  AND ($prompt_hash::VARCHAR IS NULL OR system_prompt_hash = $prompt_hash::VARCHAR)
  AND ($event_id::VARCHAR IS NULL OR event_id = $event_id::VARCHAR)
ORDER BY ordered_at, trace_id
LIMIT $page_size;

-- name: events_of
SELECT event_id, arena, content, attributes, participant_set, disclosure_class, source_kind, emitted_at
FROM events
-- Found by row number first: four times faster, for the long texts of all other events stay unread.
WHERE rowid IN (SELECT rowid FROM events WHERE event_id IN (SELECT unnest($event_ids::VARCHAR[])));

-- name: shortened_events_of
SELECT
    event_id, arena, left(content, $most_chars + 1), attributes, participant_set, disclosure_class, source_kind,
    emitted_at
FROM events
WHERE rowid IN (SELECT rowid FROM events WHERE event_id IN (SELECT unnest($event_ids::VARCHAR[])));

-- name: answers_of
-- An answer that was asked for here was given after the event, by no worker: its moment decides nothing.
SELECT
    event_id, student_model, prompt_shape, sample_index, response, student_ms, signals,
    CASE WHEN run_id IS NULL THEN answered_at END AS decided_at
FROM student_answers
WHERE rowid IN (SELECT rowid FROM student_answers WHERE event_id IN (SELECT unnest($event_ids::VARCHAR[])))
  AND ($student_model::VARCHAR IS NULL OR student_model = $student_model::VARCHAR)
  AND ($all_samples OR sample_index = 0)
ORDER BY event_id, student_model, prompt_shape, sample_index;

-- name: counts
SELECT
    (SELECT count(*) FROM events),
    (SELECT count(*) FROM traces),
    (SELECT count(*) FROM student_answers),
    (SELECT count(*) FROM ledger),
    (SELECT count(*) FROM scores),
    (SELECT count(*) FROM runs);

-- name: start_run
INSERT INTO runs VALUES
    ($run_id, $command, $version, $configuration, $watermark, $counts, $status, $started_at, $finished_at);

-- name: continue_run
UPDATE runs SET status = 'running', finished_at = NULL WHERE run_id = $run_id;

-- name: unfinished_run
SELECT run_id, command, version, configuration, watermark, counts, status, started_at, finished_at
FROM runs
WHERE command = $command AND status <> 'finished'
ORDER BY rowid DESC -- as they were begun, whatever the clock said
LIMIT 1;

-- name: finish_run
UPDATE runs SET status = $status, counts = $counts, finished_at = $finished_at WHERE run_id = $run_id;

-- name: runs
SELECT run_id, command, version, configuration, watermark, counts, status, started_at, finished_at
FROM runs
ORDER BY started_at DESC, run_id
LIMIT $limit;

-- name: add_flip_gate
INSERT INTO flip_gates VALUES (
    $run_id, $prompt_hash, $student_model, $passed, $threshold, $low, $n, $scorer, $policy_fingerprint, $judged_at
);

-- name: flip_gates
SELECT run_id, prompt_hash, student_model, passed, threshold, low, n, scorer, policy_fingerprint, judged_at
FROM flip_gates
WHERE judged_at >= $since
ORDER BY judged_at DESC, rowid DESC;

-- name: add_simulated_rates
INSERT INTO simulated_rates
SELECT
    unnest($run_id), unnest($policy_fingerprint), unnest($escalation), unnest($events), unnest($events_per_min),
    unnest($simulated_at);

-- name: simulated_rate
SELECT run_id, policy_fingerprint, escalation, events, events_per_min, simulated_at
FROM simulated_rates
WHERE policy_fingerprint = $policy_fingerprint
ORDER BY simulated_at DESC, rowid DESC
LIMIT 1;

-- name: forget_awaited_events
DELETE FROM awaited_events WHERE source = $source;

-- name: forget_awaited_as_of
DELETE FROM awaited_as_of WHERE source = $source;

-- name: add_awaited_as_of
INSERT INTO awaited_as_of VALUES ($source, $as_of);

-- name: add_awaited_events
INSERT INTO awaited_events SELECT $source, unnest($event_id), unnest($reason), unnest($decided_at);

-- name: awaited
-- An event may have been distilled before it came into the queue once more: a trace from then answers nothing. A source
-- that was asked more than a week before the latest is one that was left.
WITH latest AS (
    SELECT max(as_of) AS as_of FROM awaited_as_of
), waiting AS (
    SELECT awaited.event_id, awaited.reason, awaited.decided_at
    FROM awaited_events AS awaited
    JOIN awaited_as_of AS asked USING (source)
    WHERE asked.as_of >= (SELECT as_of FROM latest) - INTERVAL 7 DAY
        AND NOT EXISTS (
            SELECT 1 FROM traces AS trace
            WHERE trace.event_id = awaited.event_id AND coalesce(trace.created_at >= awaited.decided_at, true)
        )
), owed AS (
    SELECT count(DISTINCT event_id) AS events, min(decided_at) AS since FROM waiting WHERE reason = $reason
), lost AS (
    SELECT count(DISTINCT answer.event_id) AS events
    FROM student_answers AS answer
    WHERE answer.run_id IS NULL
        AND answer.sample_index = 0
        AND answer.answered_at < (SELECT as_of FROM latest) - INTERVAL 1 DAY
        AND NOT EXISTS (SELECT 1 FROM traces AS trace WHERE trace.event_id = answer.event_id)
        AND NOT EXISTS (SELECT 1 FROM awaited_events AS awaited WHERE awaited.event_id = answer.event_id)
        AND NOT EXISTS (
            SELECT 1 FROM ledger WHERE ledger.event_id = answer.event_id AND ledger.producer = 'student'
        )
)
SELECT latest.as_of, owed.events, owed.since, lost.events
FROM latest, owed, lost
WHERE latest.as_of IS NOT NULL;

-- name: escalated_by
SELECT DISTINCT event_id FROM ledger WHERE producer = 'teacher' AND escalate_reason = $reason;

-- name: newest_prompt_hash
SELECT system_prompt_hash
FROM traces
WHERE system_prompt_hash IS NOT NULL AND created_at IS NOT NULL
ORDER BY created_at DESC, trace_id DESC
LIMIT 1;

-- name: window
SELECT since_at, until_at FROM watermarks WHERE source = $source;

-- name: set_window
INSERT OR REPLACE INTO watermarks VALUES ($source, $since_at, $until_at);

-- name: score_columns
SELECT column_name FROM duckdb_columns() WHERE table_name = 'scores' AND NOT internal ORDER BY column_index;

-- name: insert_scores
INSERT INTO scores BY NAME
SELECT DISTINCT ON (trace_id, student_model, prompt_shape, sample_index) $fingerprint AS fingerprint, fresh.*
FROM read_parquet($file) AS fresh
ANTI JOIN (SELECT * FROM scores WHERE fingerprint = $fingerprint) AS known
    USING (trace_id, student_model, prompt_shape, sample_index);

-- name: end_of_scores
SELECT coalesce(max(rowid) + 1, 0) FROM scores;

-- name: export_scores
COPY (
    SELECT * EXCLUDE (fingerprint)
    FROM scores
    WHERE fingerprint = $fingerprint AND rowid >= $first AND rowid < $end
) TO $file (FORMAT parquet);

-- name: forget_scores_without_event
-- What was worked out of traces whose event comes only now knew nothing of it.
DELETE FROM scores
WHERE trace_id IN (
    SELECT trace_id FROM traces WHERE event_id IN (SELECT event_id FROM batch ANTI JOIN events USING (event_id))
);

-- name: choose_event
CREATE OR REPLACE TEMPORARY TABLE forgotten AS SELECT $event_id::VARCHAR AS event_id;

-- name: choose_events_before
CREATE OR REPLACE TEMPORARY TABLE forgotten AS
SELECT event_id
FROM (
    SELECT event_id, created_at AS known_at FROM traces
    UNION ALL
    SELECT event_id, emitted_at FROM events
    UNION ALL
    SELECT event_id, distilled_at FROM ledger
    UNION ALL
    SELECT event_id, decided_at FROM awaited_events
)
GROUP BY event_id
HAVING max(known_at) < $before;

-- name: forget_scores
DELETE FROM scores
WHERE trace_id IN (SELECT trace_id FROM traces WHERE event_id IN (SELECT event_id FROM forgotten));

-- name: forget_traces
DELETE FROM traces WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: forget_answers
DELETE FROM student_answers WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: forget_errors
DELETE FROM student_errors WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: forgotten
SELECT event_id FROM forgotten;

-- name: forget_ledger
DELETE FROM ledger WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: forget_awaited
DELETE FROM awaited_events WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: forget_events
DELETE FROM events WHERE event_id IN (SELECT event_id FROM forgotten);

-- name: checkpoint
CHECKPOINT;
