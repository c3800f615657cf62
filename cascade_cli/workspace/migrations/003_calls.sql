-- What it took to get an answer; null for answers that were not asked for here.
ALTER TABLE student_answers ADD COLUMN run_id VARCHAR;
ALTER TABLE student_answers ADD COLUMN requests INTEGER;
ALTER TABLE student_answers ADD COLUMN prompt_tokens INTEGER;
ALTER TABLE student_answers ADD COLUMN completion_tokens INTEGER;
ALTER TABLE student_answers ADD COLUMN finish_reason VARCHAR;
ALTER TABLE student_answers ADD COLUMN answered_at TIMESTAMP;

-- Questions that got no answer: never a disagreement, and gone once there is one.
CREATE TABLE student_errors (
    event_id      VARCHAR NOT NULL,
    student_model VARCHAR NOT NULL,
    prompt_shape  VARCHAR NOT NULL,
    sample_index  INTEGER NOT NULL CHECK (sample_index >= 0),
    kind          VARCHAR NOT NULL,
    detail        VARCHAR NOT NULL,
    outage        BOOLEAN NOT NULL,  -- it speaks of the endpoint, not of the event
    run_id        VARCHAR NOT NULL,
    requests      INTEGER NOT NULL,
    failed_at     TIMESTAMP NOT NULL,
    PRIMARY KEY (event_id, student_model, prompt_shape, sample_index)
);
