-- Recovery points that the newest bundle of a runbook restores: those of its steps that restore a proven one. Others look for the newest.
alter table runbook add column bundle_points uuid[] not null default '{}';
