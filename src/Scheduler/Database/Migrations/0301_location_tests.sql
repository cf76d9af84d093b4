-- What a location really does ------------------------------------------------------------------------------------
-- The last test: when, on which node, and its lines. A test before the present credentials stays until the next one.
alter table location add column tested_at timestamptz;
alter table location add column tested_on text;
alter table location add column test_lines jsonb;
alter table location add constraint location_tested check (num_nulls(tested_at, tested_on, test_lines) in (0, 3));
