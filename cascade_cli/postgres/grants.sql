-- What each role needs and no more. Names in braces are filled with quoted identifiers from the mapping; each block may
-- be run again.

-- name: reader
-- Pulls, monitors and asks for the state; changes nothing.
GRANT USAGE ON SCHEMA {schema} TO {reader};
GRANT SELECT ON {traces}, {events}, {queue}, {ledger}, {answers} TO {reader};
GRANT SELECT ON {escalations}, {marks}, {control}, {switches}, {touched}, {orders}, {receipts}, {register} TO {reader};

-- name: worker
-- Writes the graph but deletes nothing from it. Of the switch it may only take the student's writing away.
GRANT USAGE ON SCHEMA {schema} TO {worker};
GRANT SELECT ON {events}, {control}, {orders}, {register} TO {worker};
GRANT UPDATE (flip_allowed, changed_at, changed_by, reason) ON {control} TO {worker};
GRANT INSERT ON {switches} TO {worker};
GRANT UPDATE (finished_at, last_error) ON {orders} TO {worker};
GRANT SELECT, UPDATE ON {queue} TO {worker};
GRANT SELECT, INSERT ON {traces} TO {worker};
GRANT SELECT, INSERT, UPDATE ON {entities}, {facts}, {relationships} TO {worker};
GRANT SELECT, INSERT, UPDATE ON {ledger}, {answers}, {touched} TO {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {escalations}, {marks} TO {worker};

-- name: mop_up
-- Replaces what a student wrote, so it deletes from the graph; beside what a worker may.
GRANT {worker} TO {mop_up};
GRANT DELETE ON {entities}, {facts}, {relationships} TO {mop_up};
GRANT SELECT, INSERT, UPDATE, DELETE ON {ledger}, {answers}, {touched}, {orders}, {receipts} TO {mop_up};
GRANT SELECT ON {traces}, {answers} TO {mop_up};

-- name: admin
-- Migrates and switches, beside what mopping up may.
GRANT {mop_up} TO {admin};
GRANT {reader} TO {admin};
GRANT USAGE, CREATE ON SCHEMA {schema} TO {admin};
GRANT SELECT, INSERT, UPDATE ON {control}, {switches} TO {admin};
GRANT INSERT ON {register} TO {admin};
