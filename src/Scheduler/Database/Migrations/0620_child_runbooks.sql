-- An execution may be a step of another one: of which, and of the first of them all. Which versions are executed is decided when that one
-- begins. It is over when the first one is; until then it can be undone.
alter table execution add column parent_id uuid;
alter table execution add column parent_step text;
alter table execution add column root_id uuid;
alter table execution add column parts jsonb;
create index execution_children on execution (parent_id) where parent_id is not null;
create index execution_tree on execution (root_id) where root_id is not null;
