-- Which installation this is, and what rebuilds it ----------------------------------------------------------------
-- One row. The recovery key opens the exports; it leaves the database with each recovery kit. last_entry says which parts the newest
-- export has, so that the next one stores only what changed.
create table control_plane (
    singleton boolean primary key default true check (singleton),
    installation uuid not null,
    recovery_key_sealed bytea not null,
    created_at timestamptz not null default clock(),
    term bigint not null default 1 check (term > 0),
    export_seq bigint not null default 0,
    export_hash text not null default repeat('0', 64),
    exported_at timestamptz,
    last_entry text,
    export_due_at timestamptz not null default clock(),
    export_epoch bigint not null default 0,
    export_held_until timestamptz);

-- How each place stands to which the control plane is exported: a location, or the nodes' folder.
create table control_export (
    place text primary key,
    location_id uuid references location on delete cascade,
    seq bigint,
    exported_at timestamptz,
    problem text,
    problem_since timestamptz,
    swept_at timestamptz,
    doomed text[] not null default '{}');
