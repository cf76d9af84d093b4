-- A transaction leaves a mark of its own with its changes: when the answer to its commit is lost, the mark tells whether it took place.
-- Who asks writes the same mark, which waits for the transaction if it still goes on and forbids it if it comes later.
create table commit_mark (
    id uuid primary key,
    at timestamptz not null default clock_timestamp(),
    by_reader boolean not null default false
);
