-- Runbooks and their versions: append-only in use. What is executed is a version, never the runbook itself.
create table runbook (
    id uuid primary key,
    name text not null,
    version integer not null,
    created_at timestamptz not null default clock(),
    removed_at timestamptz,
    -- What stands in the way of an execution, as it was last looked at; null until then.
    problems jsonb,
    evaluated_at timestamptz
);
create unique index runbook_name on runbook (lower(name)) where removed_at is null;
create table runbook_version (
    runbook_id uuid not null references runbook,
    version integer not null,
    at timestamptz not null default clock(),
    by_whom text not null,
    spec jsonb not null,
    hash bytea not null,
    primary key (runbook_id, version)
);

-- An execution: what its events make of it, kept for reading. Each event locks this row.
create table execution (
    id uuid primary key,
    runbook_id uuid not null,
    version integer not null,
    mode text not null,
    phase text not null,
    outcome text,
    by_whom text not null,
    why text not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    -- Number of its last event.
    seq bigint not null default 0,
    state jsonb not null,
    -- When something changes without an event from outside.
    next_change timestamptz,
    -- What one person wants and a second has to agree to.
    proposal jsonb,
    foreign key (runbook_id, version) references runbook_version
);
create index execution_of on execution (runbook_id, started_at desc);
create index execution_open on execution (next_change) where phase <> 'Ended';
-- One in earnest and one rehearsal of a runbook; an item likewise.
create unique index execution_one on execution (runbook_id, (mode = 'Rehearsal')) where phase <> 'Ended';
create table execution_item (
    item_id uuid not null references item,
    is_rehearsal boolean not null,
    execution_id uuid not null references execution,
    primary key (item_id, is_rehearsal)
);
create index execution_item_of on execution_item (execution_id);
create table execution_event (
    execution_id uuid not null references execution,
    seq bigint not null,
    at timestamptz not null,
    event jsonb not null,
    -- What people were told because of it.
    told text[] not null,
    primary key (execution_id, seq)
);

-- Activities at work. A row goes with the event that ends the activity. Who holds it carries it out, until then.
create table activity (
    execution_id uuid not null references execution,
    step text not null,
    attempt integer not null,
    kind text not null,
    activity text not null,
    until timestamptz not null,
    wanted_at timestamptz not null default clock(),
    -- How often somebody took it, and who has it now.
    takes integer not null default 0,
    node text,
    token uuid,
    leased_until timestamptz,
    primary key (execution_id, step, attempt)
);
create index activity_free on activity (leased_until nulls first);
