-- The sampler of sampling.py in SQL; a test holds the three equal. The parameters are the domain, the salt and, where
-- it is asked who is in, units_below(rate): floor(rate * 2^52), which no rounding of the rate can change.

-- name: duckdb_unit
SELECT event_id, ('0x' || left(sha256($domain || ':' || $salt || ':' || event_id), 13))::BIGINT AS unit
FROM ids;

-- name: postgresql_unit
SELECT
    event_id,
    ('x' || left(encode(sha256(convert_to(%(domain)s || ':' || %(salt)s || ':' || event_id, 'UTF8')), 'hex'), 13))
        ::bit(52)::bigint AS unit
FROM ids
