-- What a person or a key may do, and where. Null: its role, everywhere, as the version before wrote it. That version knows only
-- administrators; to it, everybody else is nobody.
alter table person add column grants jsonb, add column last_seen_at timestamptz;
alter table api_key add column grants jsonb, add column created_by text, add column expires_at timestamptz,
    add column last_used_at timestamptz, add column last_used_from text;
create unique index api_key_name on api_key (lower(name)) where revoked_at is null;

alter table session add column id uuid not null default gen_random_uuid(), add column address text not null default '';
create unique index session_id on session (id);

create table invitation (
    hash bytea primary key,
    person_id uuid not null references person on delete cascade,
    created_at timestamptz not null default clock(),
    expires_at timestamptz not null,
    used_at timestamptz);
create index invitation_person on invitation (person_id);
