using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>What agents found on their hosts.</summary>
static class FoundSourceTable
{
    const string Select = """
        select f.host_id, h.name, f.kind, f.path, f.detail, f.size_bytes, f.first_seen_at, f.last_seen_at, f.hidden_at, f.hidden_by,
            f.hide_reason, (select max(w.finished_at) from run w where w.kind = 'Restore' and w.host_id = f.host_id
                and w.state in ('Complete', 'Incomplete') and w.job->'restore'->>'target' ~ '[.]restored-[0-9]{8}-[0-9]{6}$'
                and (f.path = w.job->'restore'->>'target' or starts_with(f.path, w.job->'restore'->>'target' || '/'))) as restored_at
        from found_source f join host h on h.id = f.host_id where h.retired_at is null and not h.awaits_approval
        """;

    /// <summary>All of hosts in service, by host, kind and path. Whether it is protected is for others to say.</summary>
    public static Task<List<Unprotected>> All(SqlSource db, CancellationToken ct)
        => db.Query($"{Select} order by lower(h.name), h.id, f.kind, f.path", [], row => new Unprotected
        {
            Host = row.Id<HostId>("host_id"),
            HostName = row.Text("name"),
            Found = new SourceFound(row.Word<FoundKind>("kind"), row.Path("path"), row.Text("detail"),
                row.IsNull("size_bytes") ? null : row.Long("size_bytes")),
            Coverage = Coverage.None,
            Reason = "",
            FirstSeenAt = row.Time("first_seen_at"),
            LastSeenAt = row.Time("last_seen_at"),
            // What a restore put beside the original needs no backup of its own, unless somebody says so.
            IsRestoredCopy = !row.IsNull("restored_at"),
            HiddenAt = row.TimeOrNull("hidden_at") ?? row.TimeOrNull("restored_at"),
            HiddenBy = row.TextOrNull("hidden_by") ?? (row.IsNull("restored_at") ? null : "a restore"),
            HideReason = row.TextOrNull("hide_reason") ?? (row.IsNull("restored_at") ? null : "A restore put this copy here."),
        }, ct);

    /// <summary>Keeps what one look found; says whether anything came or went.</summary>
    public static async Task<bool> Keep(Transaction tx, HostId host, IReadOnlyList<SourceFound> found, CancellationToken ct)
    {
        var known = (await tx.Query("select kind || ' ' || path from found_source where host_id = $1", [host], row => row.Text(0), ct))
            .ToHashSet(StringComparer.Ordinal);
        var distinct = found.DistinctBy(one => (one.Kind, one.Path)).ToList();
        await tx.Execute("""
            insert into found_source (host_id, kind, path, detail, size_bytes)
            select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
            on conflict (host_id, kind, path) do update set detail = excluded.detail, size_bytes = excluded.size_bytes,
                last_seen_at = clock()
            """, [host, distinct.Select(one => one.Kind.ToString()).ToArray(), distinct.Select(one => one.Path.ToString()).ToArray(),
                distinct.Select(one => one.Detail).ToArray(), distinct.Select(one => one.SizeBytes).ToArray()], ct);
        var now = distinct.Select(one => $"{one.Kind} {one.Path}").ToHashSet(StringComparer.Ordinal);
        var gone = await tx.Execute("""
            delete from found_source where host_id = $1 and hidden_at is null and not (kind || ' ' || path) = any($2)
            """, [host, now.ToArray()], ct);
        return gone > 0 || !now.IsSubsetOf(known);
    }
}

/// <summary>Keeps what an agent found on its host.</summary>
public sealed class RecordInventory(Postgres db)
{
    /// <summary>Keeps it.</summary>
    /// <exception cref="BadInputException">It tells of more than a host may have, or longer than it may.</exception>
    public async Task Handle(Caller caller, InventoryRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        if (request.Sources is { } told && (told.Count > InventoryRequest.MostSources
            || told.Any(one => one.Detail.Length > SourceFound.LongestDetail || !one.Path.IsAbsolute || !Enum.IsDefined(one.Kind))))
            throw new BadInputException("sources", $"A host has at most {InventoryRequest.MostSources} sources, each with an absolute path "
                + $"and at most {SourceFound.LongestDetail} characters about it.", "Install the agent of the node's version.");
        await using var tx = await db.Begin(ct);
        await tx.Execute("update host set inventory = $2 where id = $1",
            [host, JsonText.Of(request with { Sources = null }, WireJson.Default.InventoryRequest)], ct);
        if (request.Sources is { } sources && await FoundSourceTable.Keep(tx, host, sources, ct))
            await Notifications.Changed(tx, "found", host.ToString(), ct);
        await Notifications.Changed(tx, "hosts", host.ToString(), ct);
        await tx.Commit(ct);
    }
}

/// <summary>Hides something that was found and need not be protected, with the reason.</summary>
public sealed class HideFound(Postgres db)
{
    const int ShortestReason = 3, LongestReason = 500;

    /// <summary>Hides it.</summary>
    /// <exception cref="BadInputException">There is no reason, or a novel.</exception>
    /// <exception cref="NotFoundException">Nothing of the kind was found there.</exception>
    public async Task Handle(Caller caller, HideFoundRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Host, ct);
        var reason = (request.Reason ?? "").Trim();
        if (reason.Length is < ShortestReason or > LongestReason)
            throw new BadInputException("reason", $"A reason has {ShortestReason} to {LongestReason} characters; this one has "
                + $"{reason.Length}.", "For example: rebuilt from the image every night.");
        await using var tx = await db.Begin(ct);
        if (await tx.Execute("""
            update found_source set hidden_at = clock(), hidden_by = $4, hide_reason = $5 where host_id = $1 and kind = $2 and path = $3
            """, [request.Host, request.Kind.ToString(), request.Path, caller.Name, reason], ct) == 0)
            throw new NotFoundException("Something of this kind at this place of the host");
        await Notifications.Changed(tx, "found", request.Host.ToString(), ct);
        await Audit.Add(tx, caller, "found.hide", request.Host.ToString(), $"{request.Kind} {request.Path}: {reason}", ct);
        await tx.Commit(ct);
    }
}

/// <summary>Lists something again that was hidden.</summary>
public sealed class ShowFound(Postgres db)
{
    /// <summary>Lists it.</summary>
    /// <exception cref="NotFoundException">Nothing of the kind is hidden there.</exception>
    public async Task Handle(Caller caller, ShowFoundRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Host, ct);
        await using var tx = await db.Begin(ct);
        if (await tx.Execute("""
            update found_source set hidden_at = null, hidden_by = null, hide_reason = null
            where host_id = $1 and kind = $2 and path = $3 and hidden_at is not null
            """, [request.Host, request.Kind.ToString(), request.Path], ct) == 0)
            throw new NotFoundException("Something hidden of this kind at this place of the host");
        await Notifications.Changed(tx, "found", request.Host.ToString(), ct);
        await Audit.Add(tx, caller, "found.show", request.Host.ToString(), $"{request.Kind} {request.Path}", ct);
        await tx.Commit(ct);
    }
}
