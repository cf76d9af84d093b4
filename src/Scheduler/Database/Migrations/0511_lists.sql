-- Over a long history: the runs of one item or host, those that did not end well, which are few, and the open ones, which every list counts.
create index run_by_item on run (item_id, id desc) where item_id is not null;
create index run_by_host on run (host_id, id desc);
create index run_failed on run (id desc) where state = 'Failed';
create index run_incomplete on run (id desc) where state = 'Incomplete';
create index run_cancelled on run (id desc) where state = 'Cancelled';
create index run_open on run (state, host_id, policy_id) where state in ('Queued', 'Leased', 'Running');
-- What ended in the last day.
create index run_finished on run (finished_at) where finished_at is not null;
