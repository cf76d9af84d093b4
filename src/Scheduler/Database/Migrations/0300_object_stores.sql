-- Locations in object stores -------------------------------------------------------------------------------------
-- A folder has a path; an object store has an address, as restic writes it without the part of a repository.
alter table location alter column path drop not null;
alter table location add column address text;
alter table location add constraint location_place check ((path is null) <> (address is null));

-- Each NAME=VALUE.
alter table location add column options text[] not null default '{}';

-- Null where each agent's machine has credentials of its own. StoreCredentials as JSON, sealed for this column of this row.
alter table location add column credentials_sealed bytea;
alter table location add column credentials_set_at timestamptz;

-- An address of S3 is one place. An address of Azure is one place in each account, and the account is among the credentials.
create unique index location_address on location (address) where kind = 'S3';
