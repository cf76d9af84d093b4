-- When runs start ---------------------------------------------------------------------------------------------------
-- Times of a policy count from here on: it was made, resumed, or got another interval or cron.
alter table policy add column schedule_since timestamptz not null default clock();
update policy set schedule_since = created_at where paused_at is null;

-- Which nominal times of a policy were dealt with, whether they made runs or not. The key is what makes a firing happen once.
create table firing (
    policy_id uuid not null references policy,
    nominal_at timestamptz not null,
    fired_at timestamptz not null default clock(),
    runs integer not null,
    primary key (policy_id, nominal_at)
);
insert into firing (policy_id, nominal_at, fired_at, runs)
select policy_id, nominal_at, min(created_at), count(*) from run
where policy_id is not null and nominal_at is not null group by policy_id, nominal_at;

-- What a queued run waits for until its due time, in words; what is to be known about how it came, in words.
alter table run add column held_for text, add column note text;

-- How many backups may be under way at once; null for two on a host, and for any number into a location.
alter table host add column backups_at_once integer check (backups_at_once between 1 and 2);
alter table location add column backups_at_once integer check (backups_at_once between 1 and 1000);
create index run_backups_under_way on run (repository_id) where kind = 'Backup' and state in ('Leased', 'Running');
-- Whether an item has a backup that is not over is asked for each item of each firing.
create index run_open_backups on run (item_id) where kind = 'Backup' and state in ('Queued', 'Leased', 'Running');
