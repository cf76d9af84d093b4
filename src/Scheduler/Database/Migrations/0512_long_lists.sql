-- What a point added to its repository, taken out of the document once: lists of repositories add it up over all points, and read an index.
alter table recovery_point add column bytes_added bigint not null
    generated always as (coalesce((backup->>'bytesAdded')::bigint, 0)) stored;
create index recovery_point_stored on recovery_point (repository_id, taken_at, id) include (bytes_added) where gone_at is null;
-- The points of one repository, newest first.
create index recovery_point_by_repository on recovery_point (repository_id, taken_at desc, id desc);
-- The newest look through an adopted repository.
create index run_adopt on run (repository_id, id desc) where kind = 'Adopt';
-- The runs of a policy, and those of a stretch of time.
create index run_by_policy on run (policy_id, id desc) where policy_id is not null;
create index run_by_creation on run (created_at desc, id desc);
-- What a host or a repository protects: asked for each host in each list of hosts, and by each agent every ten seconds.
create index item_by_host on item (host_id);
create index item_by_repository on item (repository_id);
