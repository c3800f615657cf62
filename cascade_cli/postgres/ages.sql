-- How old a prompt hash is, counted in standing events; names in braces are tables.

-- name: standing_events
-- Those that only the sample sent to the teacher stood, too. Nobody asks beyond the age at which the rate is settled.
SELECT count(*)
FROM (
    SELECT FROM {ledger}
    WHERE system_prompt_hash = %(prompt_hash)s
        AND (producer = 'student' OR (producer = 'teacher' AND escalate_reason = 'random_sample'))
    LIMIT %(most)s
) AS standing;
