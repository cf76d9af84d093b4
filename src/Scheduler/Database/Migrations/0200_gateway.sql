-- Locations that the nodes serve ----------------------------------------------------------------------------------
-- Bytes that each repository in the location may grow to; null for no limit.
alter table location add column quota_bytes bigint check (quota_bytes > 0);

-- The user and password with which stock restic reaches a repository through the gateway; at most one a repository.
create table gateway_user (
    repository_id uuid primary key references repository,
    hash bytea not null,
    created_by text not null,
    created_at timestamptz not null default clock());
