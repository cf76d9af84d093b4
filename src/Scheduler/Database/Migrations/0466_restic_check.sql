-- What the unmodified restic program said of a repository, and when it is asked again.
alter table repository add column restic jsonb;
alter table repository add column restic_at timestamptz;
alter table repository add column restic_due_at timestamptz;
