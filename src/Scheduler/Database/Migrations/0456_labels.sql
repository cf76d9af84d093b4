create table host_label (
    host_id uuid not null references host,
    key text not null,
    value text not null,
    primary key (host_id, key)
);

-- Whether a rule made the item; it stays where the rule stops to match.
alter table item add by_rule boolean not null default false;

-- One row: the node that holds it looks what rules match, the others leave it to that one.
create table assign_look (
    one boolean primary key default true check (one),
    looked_at timestamptz not null
);
insert into assign_look (looked_at) values ('epoch');
