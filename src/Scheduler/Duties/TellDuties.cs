using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;

namespace BackupDr.Scheduler.Duties;

/// <summary>Takes what an agent tells of its duties, and hands them out: one process at a time has each, and its epoch fences what it
/// tells.</summary>
public sealed class TellDuties(Postgres db, RepositoryTable repositories, PolicyRuns policies, TermFence fence)
{
    /// <summary>How long a duty stays with a process that is silent.</summary>
    static readonly TimeSpan HeldFor = TimeSpan.FromSeconds(45);
    static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(10), AskAgainWithDuties = TimeSpan.FromSeconds(5);
    const int LongestProcess = 100;
    const string HasLog = "coalesce(i.source->'postgreSql'->'log', i.source->'mariaDb'->'log') <> 'null'";

    /// <summary>Takes and gives.</summary>
    /// <exception cref="BadInputException">The process has no name.</exception>
    public async Task<DutiesAnswer> Handle(Caller caller, DutiesRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        if (request.Process.Length is 0 or > LongestProcess)
            throw new BadInputException("process", "The agent's process has no name.", "Install the agent of the node's version.");
        await fence.MustBeLatest(request.Term, host, ct);
        if (request.Reports.Count + request.Ended.Count == 0 && !await MayHaveAny(host, ct))
            return new DutiesAnswer([], (int)AskAgain.TotalMilliseconds, request.Term is null ? null : fence.Own);
        return await db.InTransaction(async tx =>
        {
            if (await HostTable.Waits(tx, host, ct)) return new DutiesAnswer([], (int)AskAgain.TotalMilliseconds);
            foreach (var report in request.Reports) await Take(tx, host, request.Process, report, ct);
            foreach (var item in request.Ended)
                await tx.Execute("update duty d set ended_at = clock(), holder = null from item i where d.item_id = $1 "
                    + "and i.id = d.item_id and i.host_id = $2 and i.retired_at is not null and d.ended_at is null", [item, host], ct);
            var known = request.Reports.ToDictionary(report => (report.Item, report.Epoch), report => report.Version);
            var duties = await Hand(tx, host, request.Process, known, ct);
            return new DutiesAnswer(duties, (int)(duties.Count > 0 ? AskAgainWithDuties : AskAgain).TotalMilliseconds,
                request.Term is null ? null : fence.Own);
        }, ct);
    }

    /// <summary>Whether a log of the host is received, or is still to be ended. Most hosts have none, and all ask every ten
    /// seconds.</summary>
    Task<bool> MayHaveAny(HostId host, CancellationToken ct) => db.Scalar<bool>($"""
        select exists (select from item i where i.host_id = $1
            and (i.retired_at is null and {HasLog} or exists (select from duty d where d.item_id = i.id and d.ended_at is null)))
        """, [host], ct);

    async Task Take(Transaction tx, HostId host, string process, DutyReport report, CancellationToken ct)
    {
        var isOurs = await tx.Execute("""
            update duty d set report = coalesce($4, d.report), reported_at = clock() from item i
            where d.item_id = $1 and i.id = d.item_id and i.host_id = $2 and d.epoch = $3 and d.holder = $5 and d.ended_at is null
            """, [report.Item, host, report.Epoch, report.Log is { } log ? JsonText.Of(log, WireJson.Default.LogReport) : null, process],
            ct) == 1;
        if (!isOurs || report.Log is not { SystemIdentifier: { } system, Begin: { } begin, Stored: { } stored } told) return;
        if (await LogStretches.Grow(tx, report.Item, system, told.Timeline, begin, stored, told.SettledAt, ct))
            await policies.StartAgain(tx, [report.Item], "system: the log has a gap, and goes on from a new base backup", ct);
        await Notifications.Changed(tx, "logs", report.Item.ToString(), ct);
    }

    sealed record Wanted(ItemId Item, SourceSpec Source, string HostName, RepositoryId Repository, bool IsRetired, long Epoch);

    async Task<List<Duty>> Hand(Transaction tx, HostId host, string process, Dictionary<(ItemId, long), string> known, CancellationToken ct)
    {
        await tx.Execute($"""
            insert into duty (item_id) select i.id from item i join repository s on s.id = i.repository_id
            where i.host_id = $1 and i.retired_at is null and s.state = 'Ready' and {HasLog}
            on conflict do nothing
            """, [host], ct);
        var mine = await tx.Query("""
            update duty d set epoch = d.epoch + case when d.holder = $2 then 0 else 1 end, holder = $2, held_until = clock() + $3
            from item i join host h on h.id = i.host_id
            where d.item_id = i.id and i.host_id = $1 and d.ended_at is null and (d.holder is null or d.holder = $2
              or d.held_until < clock())
            returning i.id, i.source, h.name, i.repository_id, i.retired_at is not null as retired, d.epoch
            """, [host, process, HeldFor], row => new Wanted(row.Id<ItemId>("id"), row.Json("source", WireJson.Default.SourceSpec)!,
                row.Text("name"), row.Id<RepositoryId>("repository_id"), row.Bool("retired"), row.Long("epoch")), ct);
        var duties = new List<Duty>();
        foreach (var one in mine)
        {
            var access = one.IsRetired ? null : await repositories.Access(tx, one.Repository, ct);
            var version = Version(one, access);
            var isKnown = known.TryGetValue((one.Item, one.Epoch), out var has) && has == version;
            duties.Add(new Duty
            {
                Item = one.Item,
                Epoch = one.Epoch,
                Version = version,
                IsEnding = one.IsRetired,
                Source = isKnown ? null : one.Source,
                HostName = isKnown ? null : one.HostName,
                Repository = isKnown ? null : access,
            });
        }
        return duties;
    }

    /// <summary>A hash of all that the agent is told, so that a password crosses the wire only when something changed.</summary>
    static string Version(Wanted one, RepositoryAccess? access)
    {
        var text = JsonSerializer.Serialize(one.Source, WireJson.Default.SourceSpec) + one.HostName
            + (access is null ? "" : JsonSerializer.Serialize(access, WireJson.Default.RepositoryAccess));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
