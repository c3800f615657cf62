-- What was written for some events, read whole tables long: for the demo and for tests.

-- name: graph_rows
SELECT to_jsonb(held) FROM {table} AS held WHERE held.{provenance} && %(event_ids)s::text[] ORDER BY held.{id};

-- name: ledger_rows
SELECT to_jsonb(ledger) FROM {ledger} AS ledger WHERE event_id = ANY (%(event_ids)s) ORDER BY event_id, producer;
