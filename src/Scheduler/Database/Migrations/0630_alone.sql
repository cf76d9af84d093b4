-- What hosts do while no node is reachable --------------------------------------------------------------------------
-- The id under which a host made a run by itself. Told twice, it is taken once.
alter table run add column alone_id uuid;
create unique index run_alone on run (host_id, alone_id) where alone_id is not null;

-- What each host may do alone, as it was last told, and what it did the last time.
create table host_alone (
    host_id uuid primary key references host,
    items integer not null,
    left_out jsonb not null,
    lasts interval not null,
    asked_at timestamptz not null default clock(),
    since timestamptz,
    runs integer not null default 0,
    failed integer not null default 0,
    last_ended_at timestamptz
);
