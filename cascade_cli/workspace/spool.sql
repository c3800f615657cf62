-- The spool: what was asked and answered, one commit a batch, until it is folded into the workspace's database.

-- name: create
CREATE TABLE IF NOT EXISTS outcomes (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id          TEXT    NOT NULL,
    student_model     TEXT    NOT NULL,
    prompt_shape      TEXT    NOT NULL,
    sample_index      INTEGER NOT NULL,
    run_id            TEXT    NOT NULL,
    requests          INTEGER NOT NULL,
    at                TEXT    NOT NULL,
    response          TEXT,
    student_ms        REAL,
    signals           TEXT,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    finish_reason     TEXT,
    error             TEXT,
    detail            TEXT,
    outage            INTEGER NOT NULL,
    earlier           INTEGER NOT NULL,  -- of the requests, those of the outcomes whose place this one took
    earlier_seq       INTEGER,           -- the number of the last of them
    UNIQUE (event_id, student_model, prompt_shape, sample_index)
);

-- name: create_identity
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);

-- name: identity
SELECT id FROM identity;

-- name: give_identity
-- Numbers begin again in another file.
INSERT INTO identity SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT * FROM identity);

-- name: is_made
SELECT count(*) FROM sqlite_master WHERE name = 'outcomes';

-- name: add
-- An answer takes the place of an error; its new number keeps a fold that saw the error from removing it. Nothing takes
-- the place of an answer. The requests of one run add up.
INSERT OR REPLACE INTO outcomes (
    event_id, student_model, prompt_shape, sample_index, run_id, requests, at, response, student_ms, signals,
    prompt_tokens, completion_tokens, finish_reason, error, detail, outage, earlier, earlier_seq
)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 + coalesce(known.requests, 0), ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
       coalesce(known.requests, 0), known.seq
FROM (SELECT 1) LEFT JOIN outcomes AS known
    ON known.event_id = ?1 AND known.student_model = ?2 AND known.prompt_shape = ?3 AND known.sample_index = ?4
    AND known.run_id = ?5
WHERE NOT EXISTS (
    SELECT * FROM outcomes
    WHERE event_id = ?1 AND student_model = ?2 AND prompt_shape = ?3 AND sample_index = ?4 AND error IS NULL
);

-- name: of_events
SELECT seq, event_id, student_model, prompt_shape, sample_index, run_id, requests, at, response, student_ms, signals,
       prompt_tokens, completion_tokens, finish_reason, error, detail, outage, earlier, earlier_seq
FROM outcomes
WHERE event_id IN (SELECT value FROM json_each(?));

-- name: first
SELECT seq, event_id, student_model, prompt_shape, sample_index, run_id, requests, at, response, student_ms, signals,
       prompt_tokens, completion_tokens, finish_reason, error, detail, outage, earlier, earlier_seq
FROM outcomes
ORDER BY seq
LIMIT ?;

-- name: forget
DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?));

-- name: forget_events
DELETE FROM outcomes WHERE event_id IN (SELECT value FROM json_each(?));

-- name: count
SELECT count(*) FROM outcomes;
