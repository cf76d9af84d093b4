-- Whose turn it is among hosts that may do repository work.
create sequence placement_turn;
create index run_upkeep_queued on run (due_at) where state = 'Queued' and kind in ('Check', 'Prune', 'Tier', 'Replicate');
