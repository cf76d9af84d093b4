-- Nobody read when drills were last planned: the runs themselves say when each was made.
alter table drill_plan drop column planned_at;
