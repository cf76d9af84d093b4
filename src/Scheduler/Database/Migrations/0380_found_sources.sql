-- What agents find on their hosts that could be protected. A row goes when it is no longer found, unless somebody hid it: then it is kept,
-- so that it stays hidden when it comes back.
create table found_source (
    host_id uuid not null references host,
    kind text not null,
    path text not null,
    detail text not null,
    size_bytes bigint,
    first_seen_at timestamptz not null default clock(),
    last_seen_at timestamptz not null default clock(),
    hidden_at timestamptz,
    hidden_by text,
    hide_reason text,
    primary key (host_id, kind, path)
);
