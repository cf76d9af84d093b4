-- Evidence is signed with a key of the installation's own. The public part leaves the database with each export.
create table evidence_key (
    singleton boolean primary key default true check (singleton),
    public_key bytea not null,
    key_sealed bytea not null,
    created_at timestamptz not null default clock());

-- Records from before there was a key, or from a node of the version before, are signed later: nothing else of them may change.
alter table evidence add column signature bytea;
create function refuse_change_but_signature() returns trigger language plpgsql as
$$ begin
    if tg_op = 'UPDATE' and old.signature is null and new.signature is not null
       and (to_jsonb(new) - 'signature') = (to_jsonb(old) - 'signature') then return new; end if;
    raise exception '% is append-only', tg_table_name;
end $$;
drop trigger evidence_append_only on evidence;
create trigger evidence_append_only before update or delete on evidence for each row execute function refuse_change_but_signature();

create index evidence_unsigned on evidence (seq) where signature is null;
create index evidence_at on evidence (at);
create index evidence_run on evidence ((body::jsonb->>'run'));
create index evidence_point on evidence ((body::jsonb->>'point'));
