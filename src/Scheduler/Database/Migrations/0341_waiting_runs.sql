-- Runs that wait for something outside ----------------------------------------------------------------------------
-- What a restore waits for, by its last look; null for runs that wait for nothing but an agent.
alter table run add column thawing jsonb;

-- Leases that ended only to wait: they are no failed tries.
alter table run add column looks integer not null default 0;
