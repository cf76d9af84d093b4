-- The newest bundle of a runbook: of which version, when, by whom. What is in it was handed out, and is kept nowhere.
alter table runbook add column bundle_version integer, add column bundle_at timestamptz, add column bundle_by text;

-- Of an execution that was carried out from a bundle and merged: which bundle, and the hash of the last record that it wrote down.
alter table execution add column bundle text, add column bundle_hash text;
