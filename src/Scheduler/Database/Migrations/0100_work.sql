create table policy (
    id uuid primary key,
    name text not null,
    spec jsonb not null,
    version integer not null default 1,
    created_at timestamptz not null default clock(),
    paused_at timestamptz,
    pause_reason text,
    removed_at timestamptz
);
create unique index policy_name on policy (name) where removed_at is null;

create table item (
    id uuid primary key,
    policy_id uuid not null references policy,
    host_id uuid not null references host,
    repository_id uuid not null references repository,
    name text not null,
    source jsonb not null,
    created_at timestamptz not null default clock(),
    retired_at timestamptz
);
create index item_by_policy on item (policy_id);

create table recovery_point (
    id uuid primary key,
    item_id uuid not null references item,
    repository_id uuid not null references repository,
    run_id uuid not null unique,
    snapshot_id text not null,
    taken_at timestamptz not null,
    received_at timestamptz not null default clock(),
    is_complete boolean not null,
    backup jsonb not null,
    proof text,
    proof_at timestamptz,
    proof_run_id uuid,
    proof_restore_seconds double precision
);
create index recovery_point_by_item on recovery_point (item_id, taken_at desc);

create table run (
    id uuid primary key,
    kind text not null,
    state text not null,
    title text not null,
    item_id uuid references item,
    policy_id uuid references policy,
    host_id uuid not null references host,
    repository_id uuid not null references repository,
    point_id uuid references recovery_point,
    nominal_at timestamptz,
    due_at timestamptz not null default clock(),
    created_at timestamptz not null default clock(),
    started_at timestamptz,
    finished_at timestamptz,
    requested_by text not null,
    job jsonb not null,
    lease_epoch bigint not null default 0,
    lease_until timestamptz,
    report_seq bigint not null default 0,
    cancel_asked_at timestamptz,
    progress jsonb,
    result jsonb
);
-- A firing makes at most one run, whichever node fires it and however often.
create unique index run_by_firing on run (policy_id, item_id, nominal_at) where nominal_at is not null;
create unique index one_backup_of_an_item on run (item_id) where kind = 'Backup' and state in ('Leased', 'Running');
create index run_waiting on run (host_id, due_at) where state = 'Queued';
create index run_leased on run (lease_until) where state in ('Leased', 'Running');
create index run_by_time on run (id desc);

create table run_event (
    run_id uuid not null references run,
    seq bigint not null,
    epoch bigint not null,
    at timestamptz not null,
    level text not null,
    code text not null,
    text text not null,
    primary key (run_id, seq)
);

create table agent_request (
    id uuid primary key,
    host_id uuid not null references host,
    kind text not null,
    path text not null,
    repository_id uuid references repository,
    snapshot_id text,
    created_at timestamptz not null default clock(),
    taken_at timestamptz,
    answered_at timestamptz,
    answer jsonb
);
create index agent_request_waiting on agent_request (host_id) where taken_at is null;
