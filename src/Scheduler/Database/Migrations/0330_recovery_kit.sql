-- Recovery kits --------------------------------------------------------------------------------------------------
-- When one was written, and which repositories it holds. The kit itself is kept nowhere here.
create table recovery_kit (
    id bigint generated always as identity primary key,
    written_at timestamptz not null default clock(),
    written_by text not null,
    repositories uuid[] not null);
