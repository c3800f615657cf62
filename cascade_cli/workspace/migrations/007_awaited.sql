-- Events about which a live worker decided and which still waited for the teacher when their database was asked last:
-- their labels are missing, not absent. What is kept of a source is replaced as a whole.
CREATE TABLE awaited_events (
    source     VARCHAR NOT NULL,
    event_id   VARCHAR NOT NULL,
    reason     VARCHAR NOT NULL,   -- of the escalation
    decided_at TIMESTAMP NOT NULL  -- as of the student's answer, by which labels are ordered
);

CREATE TABLE awaited_as_of (
    source VARCHAR PRIMARY KEY,
    as_of  TIMESTAMP NOT NULL      -- by the database's clock, before its traces were read
);
