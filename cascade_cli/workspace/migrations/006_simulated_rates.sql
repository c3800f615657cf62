-- What simulations found of how many events a policy sends to the teacher, and how many come: a live worker that is told
-- no ceiling takes its own from there.
CREATE TABLE simulated_rates (
    run_id             VARCHAR NOT NULL,
    policy_fingerprint VARCHAR NOT NULL,
    escalation         DOUBLE NOT NULL,  -- share of the events
    events             BIGINT NOT NULL,
    events_per_min     DOUBLE NOT NULL,  -- in the busiest hour
    simulated_at       TIMESTAMP NOT NULL
);
