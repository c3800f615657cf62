-- What is known of an answer beside its text: a JSON object of numbers; null where nothing is.
ALTER TABLE student_answers ADD COLUMN signals VARCHAR;
