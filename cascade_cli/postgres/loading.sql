-- Filling the tables that team_tables.sql and the migrations make.

-- name: copy_events
COPY {events} (id, arena, content, attributes, participant_set, disclosure_class, source_kind, emitted_at) FROM STDIN;

-- name: copy_traces
COPY {traces}
    (id, event_id, system_prompt_hash, llm_model, user_prompt, raw_response, llm_chunk_ms, created_at)
FROM STDIN;

-- name: copy_answers
COPY {answers} (event_id, student_model, prompt_shape, sample_index, response, student_ms, signals, answered_at) FROM STDIN;

-- name: copy_queue
COPY {queue} ({event_id}) FROM STDIN;
