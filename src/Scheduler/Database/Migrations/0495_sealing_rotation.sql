-- The exchange of the sealing key: the next one, sealed with the present one, while values of both are there.
-- next_at: it was made. seals_at: every node can open what it sealed, so it seals from now on. walks_at: every node seals with it, so
-- what is left of the former one becomes less from now on.
alter table sealing_key add column next_sealed bytea, add column next_fingerprint bytea, add column next_at timestamptz,
    add column seals_at timestamptz, add column walks_at timestamptz, add column rotated_at timestamptz;

-- Fingerprints of the newest key that a node has in its key file, and of the one that it seals with; null for the version before.
alter table node add column opens bytea, add column seals bytea;
