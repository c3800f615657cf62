-- What the live worker keeps for itself. Ids of the team's rows are held as text, whatever their type; there is no
-- foreign key and no trigger on the team's tables, so none of theirs is ever locked or slowed down by ours.

-- Decisions to escalate that wait for the teacher: the teacher lane. The queue row itself is pending. A queue may have
-- several rows of one event; each has its own decision.
CREATE TABLE IF NOT EXISTS cascade_escalations (
    event_id   text        NOT NULL,
    queue_id   text        NOT NULL,
    reason     text        NOT NULL CHECK (reason <> ''),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (event_id, queue_id)
);

CREATE INDEX IF NOT EXISTS idx_cascade_escalations_time ON cascade_escalations (decided_at, event_id);

-- What the team's queue has no column for: how often a claim was lost, and until when a failed event waits.
CREATE TABLE IF NOT EXISTS cascade_queue_marks (
    queue_id      text        PRIMARY KEY,
    interruptions integer     NOT NULL DEFAULT 0 CHECK (interruptions >= 0),
    not_before    timestamptz
);

-- One row. Each part can only switch off; a row that is absent or unreadable counts as killed. An approved policy or an
-- oldest version that is null approves every one.
CREATE TABLE IF NOT EXISTS cascade_control (
    only_row              boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    killed                boolean     NOT NULL DEFAULT false,
    flip_allowed          boolean     NOT NULL DEFAULT true,
    policy_fingerprint    text        CHECK (policy_fingerprint <> ''),
    oldest_worker_version text        CHECK (oldest_worker_version <> ''),
    rollout_stage         text        CHECK (rollout_stage <> ''),
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by            text        NOT NULL DEFAULT current_user,
    reason                text
);

INSERT INTO cascade_control DEFAULT VALUES ON CONFLICT DO NOTHING;

-- Every change of that row, appended and never altered.
CREATE TABLE IF NOT EXISTS cascade_switches (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    who    text        NOT NULL,
    action text        NOT NULL,
    reason text,
    before jsonb       CHECK (jsonb_typeof(before) = 'object'),
    after  jsonb       NOT NULL CHECK (jsonb_typeof(after) = 'object')
);

-- What each student write did to the graph: rows that it created, and rows to which it added its event. Rows that
-- carried the event already are in neither, for they are not its own to take back. Where the write changed more of a
-- row than its provenance: those columns as they were before, and, where nobody else wrote the row in between, after.
CREATE TABLE IF NOT EXISTS cascade_touched_rows (
    event_id   text        NOT NULL,
    table_name text        NOT NULL,
    row_key    jsonb       NOT NULL CHECK (jsonb_typeof(row_key) = 'array'),
    created    boolean     NOT NULL,
    before     jsonb       CHECK (jsonb_typeof(before) = 'object'),
    after      jsonb       CHECK (jsonb_typeof(after) = 'object'),
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (event_id, table_name, row_key)
);

-- Student-written events that the teacher is to distil again; leases and attempts are the queue's. One that is finished
-- with an error was given up: what the student wrote stands, and it may be ordered again.
CREATE TABLE IF NOT EXISTS cascade_mop_up_orders (
    event_id    text        PRIMARY KEY,
    reason      text        NOT NULL CHECK (reason <> ''),
    ordered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    ordered_by  text        NOT NULL,
    finished_at timestamptz,
    last_error  text,
    CHECK (last_error IS NULL OR finished_at IS NOT NULL)
);

CREATE INDEX IF NOT EXISTS idx_cascade_mop_up_orders_open
    ON cascade_mop_up_orders (ordered_at, event_id) WHERE finished_at IS NULL;

-- What a superseding changed, with whole rows as they were before and as they were left: enough to undo it.
CREATE TABLE IF NOT EXISTS cascade_receipts (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id      text        NOT NULL,
    superseded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    before        jsonb       NOT NULL,
    after         jsonb       NOT NULL,
    undone_at     timestamptz
);

CREATE INDEX IF NOT EXISTS idx_cascade_receipts_event ON cascade_receipts (event_id);
