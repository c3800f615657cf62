-- What `cascade status` asks: figures alone, each by an index or from a small table. Names in braces are filled with
-- quoted identifiers from the mapping.

-- name: settings
SELECT set_config('statement_timeout', %(timeout_ms)s, true), set_config('transaction_read_only', 'on', true);

-- name: ledger
-- By the index on (producer, distilled_at): so both producers are named, and the moment is the same for every row.
SELECT
    producer,
    escalated,
    escalate_reason AS reason,
    count(*) FILTER (WHERE distilled_at > now() - interval '1 hour') AS last_hour,
    count(*) AS last_day
FROM {ledger}
WHERE producer IN ('student', 'teacher') AND distilled_at > now() - interval '1 day'
GROUP BY producer, escalated, escalate_reason
ORDER BY producer, last_day DESC, escalated, escalate_reason;

-- name: backlog
-- Led by the decisions; one whose row is gone, or was ended by somebody else, waits for nobody.
SELECT
    escalation.reason AS reason,
    count(*) AS events,
    extract(epoch FROM clock_timestamp() - min(escalation.decided_at))::float8 AS oldest_age_s
FROM {escalations} AS escalation
JOIN {queue} AS queue ON queue.{id} = escalation.queue_id::{id_type} AND queue.{event_id}::text = escalation.event_id
WHERE queue.{status} IN ('pending', 'claimed')
GROUP BY escalation.reason
ORDER BY events DESC, escalation.reason;

-- name: quarantined
-- Led by the marks, of which there are few.
SELECT count(*) AS events
FROM {marks} AS mark
JOIN {queue} AS queue ON queue.{id} = mark.queue_id::{id_type}
WHERE mark.interruptions >= %(quarantine_at)s AND queue.{status} = 'failed';

-- name: orders
-- There are as many as people have ordered.
SELECT
    count(*) FILTER (WHERE finished_at IS NULL) AS open,
    count(*) FILTER (WHERE last_error IS NOT NULL) AS given_up,
    extract(epoch FROM clock_timestamp() - min(ordered_at) FILTER (WHERE finished_at IS NULL))::float8 AS oldest_age_s
FROM {orders};

-- name: receipts
SELECT count(*) AS kept, count(undone_at) AS undone FROM {receipts};

-- name: latest_receipts
SELECT id AS receipt_id, event_id, superseded_at, undone_at IS NOT NULL AS undone
FROM {receipts}
ORDER BY id DESC
LIMIT %(limit)s;

-- name: workers
-- A claim carries its worker's name and, behind the last slash, an id of its own.
SELECT
    regexp_replace({claimed_by}, '/[^/]*$', '') AS worker,
    count(*) FILTER (WHERE {claim_expires_at} > clock_timestamp()) AS held,
    count(*) FILTER (WHERE {claim_expires_at} <= clock_timestamp()) AS expired,
    extract(epoch FROM clock_timestamp() - max({claimed_at}))::float8 AS last_claim_age_s
FROM {queue}
WHERE {status} = 'claimed' AND {claimed_by} IS NOT NULL
GROUP BY worker
ORDER BY worker;
