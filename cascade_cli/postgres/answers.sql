-- What the student said about claimed events. Names in braces are filled with quoted identifiers from the mapping.

-- name: answers_since_enqueued
SELECT answer.event_id, answer.response, answer.student_ms, answer.signals
FROM {queue} AS queue
JOIN {answers} AS answer ON answer.event_id = queue.{event_id}::text
WHERE queue.{id} = ANY(%(queue_ids)s::text[]::{id_type}[])
    AND answer.student_model = %(student_model)s
    AND answer.prompt_shape = %(prompt_shape)s
    AND answer.sample_index = 0
    AND answer.response IS NOT NULL
    AND answer.answered_at >= queue.{created_at}::timestamptz;
