-- One token may let several hosts in, for longer than an hour, and may want each of them to be approved.
alter table join_token add column uses int not null default 1 check (uses between 1 and 10000);
alter table join_token add column used int not null default 0;
alter table join_token add column needs_approval boolean not null default false;
update join_token set used = 1 where used_at is not null;

-- By which token a host came; no reference, since the token refers to the last host that used it.
alter table host add column join_token_id uuid;
-- Until somebody approves it, it gets no work and no secret.
alter table host add column awaits_approval boolean not null default false;
update host h set join_token_id = t.id from join_token t where t.host_id = h.id;
create index host_of_token on host (join_token_id);
