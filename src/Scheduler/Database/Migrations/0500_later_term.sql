-- Whether a later control plane of this installation has begun, and who confirmed that none has ---------------------
-- later_term is set once a node learned of one: from then on nothing is started, removed or changed here. term_confirmed_at is when
-- most of the places that exports go to last held no later term; 'infinity' where there are no such places to ask.
alter table control_plane
    add column later_term bigint,
    add column later_term_seen_at timestamptz,
    add column later_term_seen_in text,
    add column term_confirmed_at timestamptz default 'infinity',
    add constraint control_plane_later check (later_term > term and (later_term is null) = (later_term_seen_at is null)
        and (later_term is null) = (later_term_seen_in is null));
