-- Which row of which spool an error was: that tells what came later, whatever the clock says. Null for older ones.
ALTER TABLE student_errors ADD COLUMN spool VARCHAR;
ALTER TABLE student_errors ADD COLUMN seq BIGINT;

-- Holds a row once texts came that are long on average. DuckDB reads 2,048 texts at a time, however long; pieces of the
-- tables that hold fewer are therefore not merged any more.
CREATE TABLE long_texts (
    known BOOLEAN PRIMARY KEY CHECK (known)
);
