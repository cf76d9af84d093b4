-- Object lock and storage classes of locations -------------------------------------------------------------------
alter table location add column lock_days integer check (lock_days between 1 and 36500);
alter table location add column lock_mode text;
alter table location add column tier_class text;
alter table location add column tier_after_days integer check (tier_after_days between 0 and 36500);
alter table location add constraint location_lock check ((lock_days is null) = (lock_mode is null));
alter table location add constraint location_tier check ((tier_class is null) = (tier_after_days is null));
-- A move writes a new version, and the old one would stay until its retention is over.
alter table location add constraint location_lock_or_tier check (lock_days is null or tier_class is null);

-- What was an option of the store is a setting of its own now.
update location set lock_mode = case when 's3.retention-mode=compliance' = any(options) then 'Compliance' else 'Governance' end,
    lock_days = (select substring(o from '^s3\.retention-days=(\d{1,5})$')::integer from unnest(options) o
        where o ~ '^s3\.retention-days=\d{1,5}$' limit 1)
    where exists (select from unnest(options) o where o ~ '^s3\.retention-days=\d{1,5}$');
update location set options = array(select o from unnest(options) o where o !~ '^s3\.retention-(days|mode)=') where lock_days is not null;

-- When the packs of a repository are next looked through; null for a day after it was made.
alter table repository add column tier_due_at timestamptz;
create index run_tier on run (repository_id, id desc) where kind = 'Tier';
