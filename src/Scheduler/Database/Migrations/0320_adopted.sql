-- Repositories that stock restic made ----------------------------------------------------------------------------
-- What people call it and when it was attached; null for one that our own run made.
alter table repository add column name text;
alter table repository add column adopted_at timestamptz;
alter table repository add constraint repository_adoption check ((name is null) = (adopted_at is null));
alter table repository add column looked_at timestamptz;
alter table repository add column look_problem text;

-- Whether what is in it may be removed, rewritten or repaired. Somebody else's: not until its owner says so.
alter table repository add column upkeep_allowed boolean not null default true;
alter table repository add column upkeep_set_by text;
alter table repository add column upkeep_set_at timestamptz;

-- A host has one repository of ours in a location; adopted ones lie beside it, each at its own address.
alter table repository drop constraint repository_location_id_host_id_key;
create unique index repository_of_host on repository (location_id, host_id) where adopted_at is null;
create unique index repository_adopted on repository (location_id, host_id, url) where adopted_at is not null;

-- The place of one adopted repository, in which nothing else is put.
alter table location add column is_closed boolean not null default false;

-- Recovery points that were found and not made: what the snapshot records, and since when it is gone.
alter table recovery_point alter column item_id drop not null;
alter table recovery_point add column found jsonb;
alter table recovery_point add column gone_at timestamptz;
alter table recovery_point add constraint recovery_point_origin check (item_id is not null or found is not null);

-- One look finds many, so it is the snapshot that is there once.
alter table recovery_point drop constraint recovery_point_run_id_key;
create unique index recovery_point_by_run on recovery_point (run_id) where item_id is not null;
create unique index recovery_point_by_snapshot on recovery_point (repository_id, snapshot_id);
create index recovery_point_by_time on recovery_point (taken_at desc, id desc);
