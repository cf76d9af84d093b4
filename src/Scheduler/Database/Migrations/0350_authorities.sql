-- Certificates of authorities that may vouch for an object store, in PEM; null for those that each machine's system knows.
alter table location add column authority_pem text;

-- When address, options or authorities were last changed: a recovery kit from before has the former.
alter table location add column way_set_at timestamptz;
