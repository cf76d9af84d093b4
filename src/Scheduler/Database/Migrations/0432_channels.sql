-- Ways to tell people. What is secret of one is sealed; the rest may be read.
create table channel (
    id uuid primary key,
    name text not null,
    kind text not null,
    settings jsonb not null,
    secret_sealed bytea,
    is_paused boolean not null default false,
    created_at timestamptz not null default clock(),
    answered_at timestamptz,
    answer text,
    answer_is_good boolean,
    ping_due_at timestamptz);
create unique index channel_name on channel (lower(name));

-- What is to be told, written with the alert. While content is null a message is open: what happens meanwhile goes with it. Then it
-- is frozen, so that every try of it says the same under the same id.
create table message (
    id uuid primary key,
    channel_id uuid not null references channel on delete cascade,
    state text not null default 'Waiting',
    events jsonb not null,
    content jsonb,
    created_at timestamptz not null default clock(),
    due_at timestamptz not null,
    attempts integer not null default 0,
    lease_epoch bigint not null default 0,
    lease_until timestamptz,
    ended_at timestamptz,
    answer text);
create unique index message_open on message (channel_id) where content is null;
create index message_due on message (due_at) where state = 'Waiting';
create index message_of_channel on message (channel_id, created_at desc);
