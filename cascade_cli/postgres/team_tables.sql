-- The team's own tables, as the contract describes them: for the embedded server and for tests.

CREATE TABLE IF NOT EXISTS events (
    id               text PRIMARY KEY,
    arena            text,
    content          text,
    attributes       jsonb       NOT NULL DEFAULT '{}',
    participant_set  text[]      NOT NULL DEFAULT '{}',
    disclosure_class text        NOT NULL DEFAULT 'private',
    source_kind      text,
    emitted_at       timestamptz
);

CREATE TABLE IF NOT EXISTS distillation_traces (
    id                 text PRIMARY KEY,
    event_id           text        NOT NULL,
    system_prompt_hash text,
    llm_model          text,
    user_prompt        text,
    raw_response       text,
    llm_chunk_ms       double precision,
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_distillation_traces_time ON distillation_traces (created_at, id);

CREATE TABLE IF NOT EXISTS distillation_queue (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id         text        NOT NULL UNIQUE,
    status           text        NOT NULL DEFAULT 'pending'
                     CHECK (status IN ('pending', 'claimed', 'done', 'failed')),
    attempts         integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    claimed_by       text,
    claimed_at       timestamptz,
    claim_expires_at timestamptz,
    last_error       text,
    created_at       timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idx_distillation_queue_pending ON distillation_queue (id) WHERE status = 'pending';

CREATE INDEX IF NOT EXISTS idx_distillation_queue_leases
    ON distillation_queue (claim_expires_at) WHERE status = 'claimed';

CREATE TABLE IF NOT EXISTS entities (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arena                text   NOT NULL,
    participant_set      text[] NOT NULL,
    disclosure_class     text   NOT NULL,
    type                 text   NOT NULL,
    name                 text   NOT NULL,
    aliases              text[] NOT NULL DEFAULT '{}',
    email                text,
    provenance_event_ids text[] NOT NULL DEFAULT '{}',
    UNIQUE (arena, type, name)
);

CREATE TABLE IF NOT EXISTS facts (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arena                text   NOT NULL,
    participant_set      text[] NOT NULL,
    disclosure_class     text   NOT NULL,
    category             text   NOT NULL,
    statement            text   NOT NULL,
    subject              text,
    predicate            text,
    object               text,
    source               text,
    effective_until      timestamptz,
    provenance_event_ids text[] NOT NULL DEFAULT '{}',
    UNIQUE (arena, category, statement)
);

CREATE TABLE IF NOT EXISTS relationships (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    arena                text   NOT NULL,
    participant_set      text[] NOT NULL,
    disclosure_class     text   NOT NULL,
    source               text   NOT NULL,
    type                 text   NOT NULL,
    target               text   NOT NULL,
    provenance_event_ids text[] NOT NULL DEFAULT '{}',
    UNIQUE (arena, source, type, target)
);
