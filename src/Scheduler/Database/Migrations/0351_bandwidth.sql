-- How many bytes a second may pass at which hour, as BandwidthSchedule writes it; null for no limit.
alter table location add column bandwidth text;
