using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>Tells whether the newest bundle of a runbook is still what one that is made now would be.</summary>
public sealed class ShowBundle(Postgres db, BundleContents contents)
{
    /// <exception cref="NotFoundException">There is no such runbook.</exception>
    public async Task<BundleStanding> Handle(Caller caller, ShowBundleRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        var runbook = await RunbookTable.Get(db, request.Id, ct);
        var versions = runbook.Bundle is { } old && old.Version < runbook.Version
            ? [$"It is of version {old.Version}, and the runbook is at version {runbook.Version}."] : Array.Empty<string>();
        if (BundleContents.Refused(runbook.Spec) is var (problem, advice))
            return new BundleStanding { Newest = runbook.Bundle, Changes = versions, Refusal = $"{problem} {advice}" };
        var content = await contents.Choose(runbook.Spec, ct);
        return new BundleStanding
        {
            Newest = runbook.Bundle,
            Changes = runbook.Bundle is { } newest ? [.. versions, .. await Since(newest.At, runbook.Id, content, ct)] : [],
            Lacks = content.Remarks,
        };
    }

    /// <summary>What a bundle of that time holds in another way, or not at all. Only times are compared: what is secret in it is kept
    /// nowhere.</summary>
    async Task<IReadOnlyList<string>> Since(DateTimeOffset at, RunbookId id, BundleContent content, CancellationToken ct)
        => await db.Query("""
        select format('The secret ''%s'' of its steps was changed.', name) from step_secret where name = any($2) and changed_at > $1
        union all
        select format('The place ''%s'' was added, or its address or its credentials were changed.', l.name) from location l
            where (l.id = any($3) or exists (select from repository r where r.id = any($4) and r.location_id = l.id)
                    or exists (select from replica c where c.repository_id = any($4) and c.location_id = l.id))
                and greatest(l.created_at, l.credentials_set_at, l.way_set_at) > $1
        union all
        select format('%s keeps a copy of what it restores since.', l.name) from replica c join location l on l.id = c.location_id
            where c.repository_id = any($4) and c.added_at > $1 and l.created_at <= $1
        union all
        select format('The host %s joined anew.', h.name) from host h where h.id = any($5) and h.joined_at > $1
        union all
        select distinct format('''%s'' is restored from a repository that it does not hold.', i.name)
            from unnest($6::uuid[], $4) as o (item_id, repository_id) join item i on i.id = o.item_id
            where not exists (select from recovery_point p where p.item_id = o.item_id and p.repository_id = o.repository_id
                and p.received_at <= $1)
        union all
        select format('The recovery point of ''%s'' that it restores %s.', i.name, case when p.gone_at is null
                then 'is in the trash' else 'is gone' end)
            from runbook b join recovery_point p on p.id = any(b.bundle_points) join item i on i.id = p.item_id
            where b.id = $7 and coalesce(p.gone_at, p.trashed_at) is not null
        """,
        [at.UtcDateTime, content.Secrets.ToArray(), content.Places.Select(place => place.Value).ToArray(),
            content.Restores.Select(one => one.Point.Repository.Value).ToArray(), content.Hosts.Select(host => host.Id.Value).ToArray(),
            content.Restores.Select(one => one.Item.Id.Value).ToArray(), id], row => row.Text(0), ct);
}
