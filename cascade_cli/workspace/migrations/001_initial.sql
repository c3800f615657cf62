-- Timestamps are UTC without a zone: reading zoned ones from DuckDB needs a time zone library that nothing else here needs.

CREATE TABLE events (
    event_id         VARCHAR PRIMARY KEY,
    arena            VARCHAR,
    content          VARCHAR,
    attributes       VARCHAR NOT NULL,  -- a JSON object
    participant_set  VARCHAR NOT NULL,  -- a JSON list
    disclosure_class VARCHAR NOT NULL,
    source_kind      VARCHAR,
    emitted_at       TIMESTAMP
);

CREATE TABLE traces (
    trace_id           VARCHAR PRIMARY KEY,
    event_id           VARCHAR NOT NULL,
    raw_response       VARCHAR NOT NULL,
    system_prompt_hash VARCHAR,
    llm_model          VARCHAR,
    user_prompt        VARCHAR,
    llm_ms             DOUBLE,
    created_at         TIMESTAMP,
    -- created_at, or the first year where it is unknown: pages need an order without gaps.
    ordered_at         TIMESTAMP NOT NULL
);

CREATE TABLE student_answers (
    event_id      VARCHAR NOT NULL,
    student_model VARCHAR NOT NULL,
    prompt_shape  VARCHAR NOT NULL,
    sample_index  INTEGER NOT NULL CHECK (sample_index >= 0),
    response      VARCHAR,
    student_ms    DOUBLE,
    PRIMARY KEY (event_id, student_model, prompt_shape, sample_index)
);

CREATE TABLE ledger (
    event_id           VARCHAR NOT NULL,
    producer           VARCHAR NOT NULL CHECK (producer IN ('student', 'teacher')),
    llm_model          VARCHAR NOT NULL,
    system_prompt_hash VARCHAR,
    escalated          BOOLEAN,
    escalate_reason    VARCHAR,
    distilled_at       TIMESTAMP NOT NULL,
    PRIMARY KEY (event_id, producer)
);

-- A cache: columns of figures are added as the scorer brings them. No primary key, for the index over five texts would
-- outweigh the figures; the insert leaves out what is there, and only one process can write.
CREATE TABLE scores (
    fingerprint   VARCHAR NOT NULL,
    trace_id      VARCHAR NOT NULL,
    student_model VARCHAR NOT NULL,
    prompt_shape  VARCHAR NOT NULL,
    sample_index  INTEGER NOT NULL
);

CREATE TABLE runs (
    run_id        VARCHAR PRIMARY KEY,
    command       VARCHAR NOT NULL,
    version       VARCHAR NOT NULL,
    configuration VARCHAR NOT NULL,  -- a JSON object without secrets
    watermark     VARCHAR,
    counts        VARCHAR NOT NULL,  -- a JSON object
    status        VARCHAR NOT NULL,
    started_at    TIMESTAMP NOT NULL,
    finished_at   TIMESTAMP
);

-- Per source, the stretch of time that was read without a gap; since_at is null where it reaches back to the beginning.
CREATE TABLE watermarks (
    source   VARCHAR PRIMARY KEY,
    since_at TIMESTAMP,
    until_at TIMESTAMP NOT NULL
);
