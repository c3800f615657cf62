-- What the student said for an event, and what the gates made of it: null where no gate was asked. No foreign key: the
-- events are the team's.

CREATE TABLE IF NOT EXISTS cascade_student_answers (
    event_id           text        NOT NULL,
    student_model      text        NOT NULL,
    prompt_shape       text        NOT NULL,
    sample_index       integer     NOT NULL CHECK (sample_index >= 0),
    response           text,
    parsed             boolean,
    fired              text[]      NOT NULL DEFAULT '{}',
    sampled            boolean,
    u                  bigint      CHECK (u >= 0 AND u < 4503599627370496),
    rate               numeric     CHECK (rate >= 0 AND rate <= 1),
    pi                 numeric     CHECK (pi >= 0 AND pi <= 1),
    student_ms         double precision,
    signals            jsonb       CHECK (jsonb_typeof(signals) = 'object'),
    answered_at        timestamptz NOT NULL DEFAULT now(),
    policy_fingerprint text,
    PRIMARY KEY (event_id, student_model, prompt_shape, sample_index)
);

-- Pulling reads in the order of time; the key makes the order whole.
CREATE INDEX IF NOT EXISTS idx_cascade_student_answers_time
    ON cascade_student_answers (answered_at, event_id, student_model, prompt_shape, sample_index);
