-- Which test restores were made, of what and where: the planner looks at them every minute.
create index run_drill_by_item on run (item_id, created_at desc) where kind = 'Drill';
create index run_drill_by_host on run (host_id, created_at desc) where kind = 'Drill';

-- One row: the node that holds it plans, the others leave it to that one.
create table drill_plan (
    one boolean primary key default true check (one),
    planned_at timestamptz not null
);
insert into drill_plan (planned_at) values ('epoch');
