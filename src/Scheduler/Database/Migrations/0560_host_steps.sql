-- A question to an agent may be a step of a runbook: it carries it out once, and tells how far it is as often as it is asked.
alter table agent_request add column step jsonb;
