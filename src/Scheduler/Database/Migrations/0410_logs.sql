-- Logs of every kind of database server: something with positions in it that are in order, and times. PostgreSQL writes a position as
-- "0/4140DE0", MariaDB's is "bin.000017.1763782343:4711": file, the time that it was begun, and bytes. After RESET MASTER the numbers of
-- its files begin again and their times go on, so the time counts first.
create function log_position(text) returns numeric language sql immutable strict parallel safe as $$
    select case when $1 like '%/%' then $1::pg_lsn - '0/0'::pg_lsn
        else (regexp_match($1, '\.(\d+):\d+$'))[1]::numeric * 1208925819614629174706176          -- 2 to the power of 80
           + (regexp_match($1, '\.(\d+)\.\d+:\d+$'))[1]::numeric * 1125899906842624              -- of 50
           + (regexp_match($1, ':(\d+)$'))[1]::numeric end
$$;

-- Where each base backup lies in its log. Those of a server without a log have no position.
create view log_base as
    select id, item_id, is_complete,
        coalesce(backup->'cluster'->>'systemIdentifier', backup->'mariaDb'->>'server') as log,
        coalesce(backup->'cluster'->>'stopLsn', backup->'mariaDb'->>'position') as at,
        log_position(coalesce(backup->'cluster'->>'stopLsn', backup->'mariaDb'->>'position')) as position,
        coalesce(backup->'cluster'->>'stoppedAt', backup->'mariaDb'->>'stoppedAt')::timestamptz as stopped_at
    from recovery_point where gone_at is null and (backup->'cluster' is not null or backup->'mariaDb' is not null);

-- Takes the place of log_range, whose positions are PostgreSQL's. What an older node adds there meanwhile is told again by the agents.
create table log_stretch (
    item_id uuid not null references item,
    number integer not null,
    log text not null,
    timeline bigint not null,
    from_at text not null,
    until_at text not null,
    from_position numeric not null generated always as (log_position(from_at)) stored,
    until_position numeric not null generated always as (log_position(until_at)) stored,
    settled_at timestamptz,
    began_at timestamptz not null default clock(),
    primary key (item_id, number)
);
insert into log_stretch (item_id, number, log, timeline, from_at, until_at, settled_at, began_at)
    select item_id, number, system_identifier, timeline, from_lsn::text, to_lsn::text, to_at, began_at from log_range;
