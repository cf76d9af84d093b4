-- Requests that a second person approves. command is canonical JSON and stays text: its bytes are what is hashed, shown and done.
create table approval (
    id uuid primary key,
    action text not null,
    object text not null,
    effect text not null,
    command text not null,
    command_hash text not null,
    subject_state text not null,
    asks_again boolean not null,
    state text not null,
    requested_by text not null,
    person_id uuid references person,
    api_key_id uuid references api_key,
    requested_at timestamptz not null default clock(),
    expires_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    note text);
create index approval_open on approval (expires_at) where state in ('Waiting', 'Approved');
create unique index approval_once on approval (requested_by, command_hash) where state in ('Waiting', 'Approved');

create table four_eyes (
    singleton boolean primary key default true check (singleton),
    is_on boolean not null,
    hours integer not null,
    changed_by text,
    changed_at timestamptz);
insert into four_eyes (is_on, hours) values (false, 24);
