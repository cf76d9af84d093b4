-- The one clock of everything that is compared over nodes. Tests replace this function to move time.
create function clock() returns timestamptz language sql volatile as 'select clock_timestamp()';

-- Rows of append-only tables stay as they are.
create function refuse_change() returns trigger language plpgsql as
$$ begin raise exception '% is append-only', tg_table_name; end $$;

-- Secrets ---------------------------------------------------------------------------------------------------------

-- Tells whether a node's key file is the one that sealed what is in here.
create table sealing_key (
    singleton boolean primary key default true check (singleton),
    fingerprint bytea not null,
    created_at timestamptz not null default clock());

create table data_protection_key (
    name text primary key,
    sealed bytea not null,
    created_at timestamptz not null default clock());

-- People and programs ---------------------------------------------------------------------------------------------

create table person (
    id uuid primary key,
    name text not null,
    password text not null,
    role text not null,
    must_change_password boolean not null,
    created_at timestamptz not null default clock(),
    disabled_at timestamptz);
create unique index person_name on person (lower(name));

create table session (
    token_hash bytea primary key,
    person_id uuid not null references person on delete cascade,
    created_at timestamptz not null default clock(),
    last_seen_at timestamptz not null default clock());
create index session_person on session (person_id);

create table sign_in_failure (
    name text not null,
    address text not null,
    at timestamptz not null default clock());
create index sign_in_failure_at on sign_in_failure (at);

create table api_key (
    id uuid primary key,
    name text not null,
    hash bytea not null unique,
    role text not null,
    created_at timestamptz not null default clock(),
    revoked_at timestamptz);

-- Records that nobody changes -------------------------------------------------------------------------------------

-- The last link of each chain; its row lock gives the order.
create table chain_head (
    chain text primary key,
    seq bigint not null,
    hash text not null);
insert into chain_head (chain, seq, hash) values
    ('audit', 0, repeat('0', 64)), ('evidence', 0, repeat('0', 64));

create table audit (
    seq bigint primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    detail text not null,
    hash text not null);
create trigger audit_append_only before update or delete on audit for each row execute function refuse_change();
create trigger audit_no_truncate before truncate on audit for each statement execute function refuse_change();

-- body is canonical JSON and stays text: its bytes are what is hashed.
create table evidence (
    seq bigint primary key,
    id uuid not null unique,
    at timestamptz not null,
    kind text not null,
    subject text not null,
    body text not null,
    hash text not null);
create index evidence_subject on evidence (subject);
create trigger evidence_append_only before update or delete on evidence for each row execute function refuse_change();
create trigger evidence_no_truncate before truncate on evidence for each statement execute function refuse_change();

-- Agents' identities ----------------------------------------------------------------------------------------------

create table authority (
    singleton boolean primary key default true check (singleton),
    certificate_pem text not null,
    key_sealed bytea not null,
    created_at timestamptz not null default clock());

-- The agents' listener: one key for all nodes, so that its pin holds on each of them.
create table listener_identity (
    singleton boolean primary key default true check (singleton),
    certificate_pem text not null,
    key_sealed bytea not null,
    expires_at timestamptz not null);

create table host (
    id uuid primary key,
    name text not null,
    operating_system text not null,
    agent_version text not null,
    protocol_version integer not null,
    is_mover boolean not null,
    joined_at timestamptz not null default clock(),
    last_seen_at timestamptz,
    retired_at timestamptz,
    load double precision not null default 0,
    inventory jsonb);

create table host_certificate (
    serial text primary key,
    host_id uuid not null references host,
    issued_at timestamptz not null default clock(),
    expires_at timestamptz not null,
    first_used_at timestamptz,
    revoked_at timestamptz);
create index host_certificate_host on host_certificate (host_id);

create table join_token (
    id uuid primary key,
    hash bytea not null unique,
    agents_url text not null,
    created_by text not null,
    created_at timestamptz not null default clock(),
    expires_at timestamptz not null,
    script_fetched_at timestamptz,
    archive_fetched_at timestamptz,
    used_at timestamptz,
    host_id uuid references host);

-- Places ----------------------------------------------------------------------------------------------------------

create table location (
    id uuid primary key,
    name text not null,
    kind text not null,
    path text not null,
    host_id uuid references host,
    created_at timestamptz not null default clock());
create unique index location_name on location (lower(name));

create table repository (
    id uuid primary key,
    location_id uuid not null references location,
    host_id uuid not null references host,
    url text not null,
    state text not null,
    config_id text,
    password_sealed bytea not null,
    created_at timestamptz not null default clock(),
    unique (location_id, host_id));
