-- A new machine may take the place of one that was lost: its name, its items and their recovery points.
alter table join_token add column replaces uuid references host;
alter table host add column replaced_at timestamptz;
