-- What an agent does all the time for an item: now the receiving of a cluster's log.
create table duty (
    item_id uuid primary key references item,
    epoch bigint not null default 0,
    holder text,
    held_until timestamptz,
    version text not null default '',
    report jsonb,
    reported_at timestamptz,
    ended_at timestamptz
);
-- Unbroken stretches of stored log. A new one begins where the log has a gap.
create table log_range (
    item_id uuid not null references item,
    number integer not null,
    system_identifier text not null,
    timeline bigint not null,
    from_lsn pg_lsn not null,
    to_lsn pg_lsn not null,
    to_at timestamptz,
    began_at timestamptz not null default clock(),
    primary key (item_id, number)
);
