-- What people have to know, grouped by cause: one open row for each.
create table alert (
    id uuid primary key,
    cause text not null,
    kind text not null,
    severity text not null,
    title text not null,
    effect text not null,
    items jsonb not null,
    deadline_at timestamptz,
    action text not null,
    action_url text not null,
    raised_at timestamptz not null default clock(),
    updated_at timestamptz not null default clock(),
    cleared_at timestamptz,
    acknowledged_by text,
    acknowledged_until timestamptz,
    acknowledged_note text);
create unique index alert_open on alert (cause) where cleared_at is null;
create index alert_by_time on alert (raised_at desc);

-- One node at a time looks for them.
create table alert_look (
    singleton boolean primary key default true check (singleton),
    looked_at timestamptz not null default '-infinity');
insert into alert_look default values;

create index run_ended on run (item_id, kind, finished_at desc) where finished_at is not null;
create index run_ended_in_repository on run (repository_id, finished_at desc) where finished_at is not null;
