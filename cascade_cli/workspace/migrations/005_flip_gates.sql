-- Verdicts on whether a student may write under a prompt: what `cascade score --gate-for-flip` found, passes and failures,
-- for the latest is the one that counts.
CREATE TABLE flip_gates (
    run_id             VARCHAR NOT NULL,
    prompt_hash        VARCHAR NOT NULL,
    student_model      VARCHAR NOT NULL,
    passed             BOOLEAN NOT NULL,
    threshold          DOUBLE NOT NULL,
    low                DOUBLE,   -- null where nothing was scored
    n                  BIGINT NOT NULL,
    scorer             VARCHAR NOT NULL,
    policy_fingerprint VARCHAR,  -- null where unknown
    judged_at          TIMESTAMP NOT NULL
);
