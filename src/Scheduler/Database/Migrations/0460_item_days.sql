-- What each day of an item was like: its worst state, and the longest gap that ended on it. Kept longer than points are.
create table item_day (
    item_id uuid not null references item,
    day date not null,
    state text,
    reason text,
    gap interval,
    primary key (item_id, day)
);

-- One row: the node that holds it looks, the others leave it to that one. What was received since then has not been counted.
create table item_day_look (
    one boolean primary key default true check (one),
    looked_at timestamptz not null
);
insert into item_day_look (looked_at) values ('epoch');

-- What restores put on a host is found there again.
create index run_restores on run (host_id) where kind = 'Restore';

-- All items are listed on nearly every page; without these each of them would be looked for among all of its points.
create index recovery_point_received on recovery_point (received_at) where is_complete;
create index recovery_point_proof on recovery_point (item_id, proof_at desc) where proof is not null;
create index recovery_point_proven on recovery_point (item_id, taken_at desc) where proof = 'Proven';
create index recovery_point_gone on recovery_point (item_id, taken_at desc) where gone_at is not null and is_complete;
create index recovery_point_there on recovery_point (item_id, taken_at desc) where gone_at is null;
