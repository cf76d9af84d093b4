-- Which recovery points go, and when -------------------------------------------------------------------------------
-- In the trash: since when, and when it may be forgotten for good.
alter table recovery_point add column trashed_at timestamptz;
alter table recovery_point add column trash_until timestamptz;
alter table recovery_point add constraint recovery_point_trash check ((trashed_at is null) = (trash_until is null));
-- Taken back from there by a person: stays at least until then.
alter table recovery_point add column taken_out_until timestamptz;
alter table recovery_point add column taken_out_by text;
-- A legal hold.
alter table recovery_point add column held_at timestamptz;
alter table recovery_point add column held_by text;
alter table recovery_point add column held_reason text;
alter table recovery_point add constraint recovery_point_hold check ((held_at is null) = (held_reason is null));
-- The run that was handed its snapshot to be removed: from then on nobody can say whether it is there, until a run tells that it is not.
alter table recovery_point add column forget_run_id uuid;
alter table recovery_point add column forgotten_at timestamptz;
create index recovery_point_in_trash on recovery_point (trash_until) where trash_until is not null and gone_at is null;

-- When retention looks at an item next.
create table retention_look (
    item_id uuid primary key references item on delete cascade,
    due_at timestamptz not null default clock(),
    looked_at timestamptz);

-- Why nothing of an item is forgotten for now, and who said that it may go on.
create table retention_hold (
    item_id uuid not null references item on delete cascade,
    held_at timestamptz not null default clock(),
    held_by text not null,
    reason text not null,
    point_id uuid,
    lifted_at timestamptz,
    lifted_by text,
    lifted_reason text,
    primary key (item_id, held_at));
create unique index retention_hold_now on retention_hold (item_id) where lifted_at is null;

-- The garbage of a repository: when a run looks for it next, and what the last one said.
create table garbage (
    repository_id uuid primary key references repository on delete cascade,
    prune_due_at timestamptz,
    pruned_at timestamptz,
    prune_run_id uuid,
    result jsonb);

-- Whoever shortens the time in the trash cannot use the shorter one before the former has passed.
alter table policy add column trash_before interval;
alter table policy add column trash_before_until timestamptz;

-- What removes from a repository does so alone.
create unique index one_removal_of_a_repository on run (repository_id)
    where kind in ('Forget', 'Prune') and state in ('Queued', 'Leased', 'Running');
create index run_removals on run (repository_id, id desc) where kind in ('Forget', 'Prune');
