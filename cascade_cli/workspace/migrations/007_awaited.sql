-- Events about which a live worker decided and which still waited for the teacher when the database was read last: their
-- labels are missing, not absent. Both tables are replaced as a whole.
CREATE TABLE awaited_events (
    event_id   VARCHAR NOT NULL,
    reason     VARCHAR NOT NULL,   -- of the escalation
    decided_at TIMESTAMP NOT NULL  -- as of the student's answer, by which labels are ordered
);

CREATE TABLE awaited_as_of (
    as_of TIMESTAMP NOT NULL       -- by the database's clock
);
