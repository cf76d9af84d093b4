-- Further places of repositories ---------------------------------------------------------------------------------
create table replica (
    repository_id uuid not null references repository,
    location_id uuid not null references location,
    url text not null,
    added_at timestamptz not null default clock(),
    tried_at timestamptz,
    equal_at timestamptz,
    problem text,
    primary key (repository_id, location_id));

-- Which locations are known to hold a recovery point: where it was taken, and where a replication saw it.
create table recovery_point_place (
    point_id uuid not null references recovery_point,
    location_id uuid not null references location,
    seen_at timestamptz not null default clock(),
    primary key (point_id, location_id));
insert into recovery_point_place (point_id, location_id)
    select p.id, r.location_id from recovery_point p join repository r on r.id = p.repository_id;
