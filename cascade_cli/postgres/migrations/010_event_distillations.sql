-- The ledger: who wrote which event's rows, and why. Given by the team; not to be changed here.

CREATE TABLE IF NOT EXISTS event_distillations (
    event_id           text        NOT NULL,
    producer           text        NOT NULL,
    llm_model          text        NOT NULL,
    system_prompt_hash text,
    escalated          boolean,
    escalate_reason    text,
    distilled_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, producer)
);

CREATE INDEX IF NOT EXISTS idx_event_distillations_producer_time
    ON event_distillations (producer, distilled_at DESC);

CREATE INDEX IF NOT EXISTS idx_event_distillations_reason
    ON event_distillations (escalate_reason) WHERE escalate_reason IS NOT NULL;
