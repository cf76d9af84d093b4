-- The nodes of the installation: a row for each start of each, refreshed every two seconds. No node leads; the rows are for people, for
-- draining, and for the list of addresses that agents keep.
create table node (
    instance uuid primary key,
    name text not null,
    version text not null,
    roles text[] not null,
    agents_url text not null,
    console_url text not null,
    started_at timestamptz not null default clock(),
    last_seen_at timestamptz not null default clock(),
    stopped_at timestamptz,
    draining_at timestamptz,
    drained_by text,
    agents int not null default 0,
    loops int not null default 0,
    skew_ms bigint not null default 0
);
create index node_by_name on node (name);

-- What lets a further node in, once.
create table node_token (
    id uuid primary key,
    hash bytea not null unique,
    created_by text not null,
    created_at timestamptz not null default clock(),
    expires_at timestamptz not null,
    used_at timestamptz,
    used_by text
);
