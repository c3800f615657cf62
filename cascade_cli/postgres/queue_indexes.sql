-- Indexes on the team's queue, by name: both are small whatever number of rows are done. Made where a queue exists.

-- name: idx_distillation_queue_pending
({id}) WHERE {status} = 'pending';

-- name: idx_distillation_queue_leases
({claim_expires_at}) WHERE {status} = 'claimed';
