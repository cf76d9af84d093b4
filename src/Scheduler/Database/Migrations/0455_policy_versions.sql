-- What a policy wanted at each time, by whom: append-only in use. The newest version equals the policy.
create table policy_version (
    policy_id uuid not null references policy,
    version integer not null,
    at timestamptz not null default clock(),
    by_whom text not null,
    origin text not null,
    remark text,
    name text not null,
    spec jsonb not null,
    assign jsonb,
    primary key (policy_id, version)
);
insert into policy_version (policy_id, version, at, by_whom, origin, name, spec)
select id, version, created_at, 'system:upgrade', 'Before', name, spec from policy;

-- By which rules a policy takes what agents find; null for none.
alter table policy add assign jsonb;
