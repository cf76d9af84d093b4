-- A question to an agent may be about a source that is not protected yet.
alter table agent_request add column source jsonb;
