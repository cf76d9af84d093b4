-- The rolling check of a repository: where its round stands, and what the newest one found.
alter table repository add column check_due_at timestamptz;
alter table repository add column check_after text;
alter table repository add column round_began_at timestamptz;
alter table repository add column last_round_began_at timestamptz;
alter table repository add column last_round_ended_at timestamptz;
alter table repository add column checked_at timestamptz;
alter table repository add column damage jsonb;
create index run_check on run (repository_id, id desc) where kind = 'Check';
