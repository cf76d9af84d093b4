-- Secrets that steps of runbooks name.
create table step_secret (
    name text primary key,
    value_sealed bytea not null,
    changed_at timestamptz not null default clock());

-- What a step wrote down before it changed something outside: what was there before, or that a call goes out. For whoever takes over.
create table step_note (
    execution text not null,
    step text not null,
    attempt integer not null,
    notes jsonb not null,
    noted_at timestamptz not null default clock(),
    primary key (execution, step, attempt));
create index step_note_age on step_note (noted_at);
