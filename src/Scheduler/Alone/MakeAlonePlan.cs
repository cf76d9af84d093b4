using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;

namespace BackupDr.Scheduler.Alone;

/// <summary>Makes the plan of a host: the items of its policies that are not paused, with the way into their repositories.</summary>
public sealed class MakeAlonePlan(RepositoryTable repositories, AgentsOptions options)
{
    sealed record Found(AlonePart Part, DateTimeOffset Settled);

    /// <summary>Makes it.</summary>
    /// <param name="db">Where to read.</param>
    /// <param name="host">Whose; one that waits for approval, or is out of service, gets an empty one.</param>
    /// <param name="ct">Cancels.</param>
    internal async Task<(AlonePlan Plan, IReadOnlyList<AloneSettled> Settled)> For(SqlSource db, HostId host, CancellationToken ct)
    {
        var empty = new AlonePlan
        {
            After = TimeSpan.FromSeconds(options.AloneAfterSeconds),
            Lasts = TimeSpan.FromDays(options.AloneDays),
        };
        if (options.AloneDays == 0) return (empty, []);
        var found = await Items(db, host, ct);
        var (ways, leftOut, parts) = (new Dictionary<RepositoryId, RepositoryAccess>(), new List<string>(), new List<Found>());
        foreach (var one in found)
        {
            if (!ways.TryGetValue(one.Part.Repository, out var way))
                ways[one.Part.Repository] = way = await repositories.Access(db, one.Part.Repository, ct);
            // What a node itself stores cannot be reached without nodes; a further place of it may be.
            if (way is { IsGateway: true, Replicas: not { Count: > 0 } })
                leftOut.Add($"{one.Part.Name}: its repository lies behind the gateway of the nodes.");
            else parts.Add(one);
        }
        return Fit(empty, parts, ways, leftOut);
    }

    /// <summary>As many parts as the limits let in.</summary>
    static (AlonePlan Plan, IReadOnlyList<AloneSettled> Settled) Fit(AlonePlan empty, List<Found> parts,
        Dictionary<RepositoryId, RepositoryAccess> ways, List<string> leftOut)
    {
        var most = Math.Min(parts.Count, AlonePlan.MostParts);
        while (true)
        {
            var told = parts.Take(most).ToList();
            var used = told.Select(one => one.Part.Repository).ToHashSet();
            string[] more = most == parts.Count ? []
                : [string.Create(CultureInfo.InvariantCulture, $"{parts.Count - most} further items: a host does as many alone.")];
            var plan = empty with
            {
                Parts = [.. told.Select(one => one.Part)],
                Repositories = [.. ways.Values.Where(way => used.Contains(way.Id)).OrderBy(way => way.Id.Value)],
                LeftOut = [.. more.Concat(leftOut).Take(AlonePlan.MostLeftOut)],
            };
            if (most == 0 || JsonSerializer.SerializeToUtf8Bytes(plan, WireJson.Default.AlonePlan).Length <= AlonePlan.MostBytes)
                return (plan, [.. told.Select(one => new AloneSettled(one.Part.Item, one.Settled))]);
            most = most * 3 / 4;
        }
    }

    /// <summary>A hash of all that is told, so that a password crosses the wire only where something changed. A later term is something
    /// that changed.</summary>
    internal static string Mark(AlonePlan plan, long term)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(term));
        hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(plan, WireJson.Default.AlonePlan));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // Settled is the newest firing, unless its run of the item still waits for an agent: that one the host may make.
    static Task<List<Found>> Items(SqlSource db, HostId host, CancellationToken ct) => db.Query("""
        select i.id, i.policy_id, i.name, i.repository_id, i.source, h.name as host, p.spec,
            greatest(p.schedule_since, i.created_at, (select f.nominal_at from firing f where f.policy_id = i.policy_id
                and not exists (select from run r where r.policy_id = f.policy_id and r.item_id = i.id and r.nominal_at = f.nominal_at
                    and r.state = 'Queued' and r.lease_epoch = 0)
                order by f.nominal_at desc limit 1)) as settled
        from item i join host h on h.id = i.host_id join policy p on p.id = i.policy_id join repository s on s.id = i.repository_id
        where i.host_id = $1 and i.retired_at is null and h.retired_at is null and not h.awaits_approval and p.paused_at is null
            and p.removed_at is null and s.state = 'Ready' order by i.id
        """, [host], row => new Found(new AlonePart
    {
        Item = row.Id<ItemId>("id"),
        Policy = row.Id<PolicyId>("policy_id"),
        Name = row.Text("name"),
        Schedule = Spec(row).Schedule,
        Repository = row.Id<RepositoryId>("repository_id"),
        Backup = new BackupJob
        {
            Source = row.Json("source", WireJson.Default.SourceSpec)!,
            HostName = row.Text("host"),
            Tags = [$"{RecoveryPointTable.ItemTag}{row.Id<ItemId>("id")}"],
            Hooks = Spec(row).Hooks,
        },
    }, row.Time("settled")), ct);

    static PolicySpec Spec(Row row) => row.Json("spec", WireJson.Default.PolicySpec)!;
}
