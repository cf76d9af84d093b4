using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;

namespace BackupDr.Scheduler.Runs;

/// <summary>Takes in the backups that hosts made while no node was reachable. One run for each policy, item and nominal time: what a node
/// queued for the same time, and no agent has begun, is settled by it.</summary>
public sealed class RunsMadeAlone(RunEffects effects, TimeProvider clock)
{
    const string Told = "run.told";   // a line of the log, no error

    sealed record KnownItem(PolicyId Policy, string Name, string HostName, SourceSpec Source, HooksSpec? Hooks, bool IsPolicyKnown);

    sealed record SameTime(RunId Id, RunState State, long Epoch);

    /// <summary>Takes a run in. Told twice, it is taken once.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="host">Who made it.</param>
    /// <param name="told">What it tells.</param>
    /// <param name="seen">When the host was last heard of before: its point counts as received no earlier.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>The run, null where none could be made of it; its state; and what was done in words, null where it was told before.
    /// </returns>
    internal async Task<(EndedRun? Run, RunState State, string? Word)> Take(Transaction tx, HostId host, AloneRun told,
        DateTimeOffset? seen, CancellationToken ct)
    {
        if (await tx.Scalar<bool>("select exists (select from run where host_id = $1 and alone_id = $2)", [host, told.Id], ct))
            return (null, default, null);
        RunStates.TryMove(RunState.Running, RunStates.Of(told.Result.Outcome), out var state);
        if (!RunStates.IsOver(state)) state = RunState.Failed;
        var snapshot = told.Result.Backup?.SnapshotId;
        if (!await tx.Scalar<bool>("select exists (select from repository where id = $1 and host_id = $2)", [told.Repository, host], ct))
            return (null, state, $"{told.Title} of {Time(told.NominalAt)}: its repository {told.Repository} is not known here"
                + (snapshot is null ? "" : $"; its snapshot is {snapshot}"));
        var item = await Item(tx, host, told, ct);
        var run = item is null ? await Insert(tx, host, told, state, null, false,
            $"{Alone(told)} The item that it is of, {told.Item}, is not known to this control plane.", ct)
            : await Settle(tx, host, told, state, item, ct);
        if (told.Result.Backup is { } backup)
        {
            var received = Received(told, seen, run.EndedAt!.Value);
            if (run.Item is null) await RecoveryPointTable.AddFound(tx, clock, run, backup, told, received, ct);
            else await effects.Apply(tx, run, told.Result with { Backup = backup with { MadeAlone = true } }, ct, received);
        }
        await Notifications.Changed(tx, "runs", run.Id.ToString(), ct);
        return (run, state, $"{told.Title} of {Time(told.NominalAt)}: {state}");
    }

    /// <summary>The host's own time, where it can be true: after the host was last heard of, and before now. What came in one
    /// stroke would be one moment for retention and objectives otherwise.</summary>
    static DateTimeOffset Received(AloneRun told, DateTimeOffset? seen, DateTimeOffset now)
        => told.EndedAt > now ? now : told.EndedAt < seen ? seen.Value < now ? seen.Value : now : told.EndedAt;

    static Task<KnownItem?> Item(Transaction tx, HostId host, AloneRun told, CancellationToken ct) => tx.First("""
        select i.policy_id, i.name, h.name as host, i.source, p.spec, exists (select from policy where id = $3) as is_policy_known
        from item i join policy p on p.id = i.policy_id join host h on h.id = i.host_id where i.id = $1 and i.host_id = $2
        """, [told.Item, host, told.Policy], row => new KnownItem(row.Id<PolicyId>("policy_id"), row.Text("name"), row.Text("host"),
            row.Json("source", WireJson.Default.SourceSpec)!, row.Json("spec", WireJson.Default.PolicySpec)!.Hooks,
            row.Bool("is_policy_known")), ct);

    async Task<EndedRun> Settle(Transaction tx, HostId host, AloneRun told, RunState state, KnownItem item, CancellationToken ct)
    {
        var policy = item.IsPolicyKnown ? told.Policy : item.Policy;
        var same = await tx.First("select id, state, lease_epoch from run where policy_id = $1 and item_id = $2 and nominal_at = $3 "
            + "for update", [policy, told.Item, told.NominalAt.UtcDateTime],
            row => new SameTime(row.Id<RunId>("id"), row.Word<RunState>("state"), row.Long("lease_epoch")), ct);
        var isUsable = told.Result.Backup is not null;
        if (isUsable) await ScheduledStarts.StoodFor(tx, told.Item, told.NominalAt, ct);
        if (same is null) return await Insert(tx, host, told, state, item, true, Alone(told), ct);
        // What came to nothing stands in nobody's way: the node's own run is still made.
        if (same is { State: RunState.Queued, Epoch: 0 } && isUsable) return await Update(tx, host, told, state, same.Id, ct);
        return await Insert(tx, host, told, state, item, false, $"{Alone(told)} A node had made {same.Id} of the same time, which "
            + $"{(same.Epoch > 0 ? "an agent had begun" : $"was {same.State}")}: both stand.", ct);
    }

    static async Task<EndedRun> Update(Transaction tx, HostId host, AloneRun told, RunState state, RunId run, CancellationToken ct)
    {
        await tx.Execute("""
            update run set state = $2, started_at = least($3, clock()), finished_at = least($4, clock()), lease_epoch = $5, result = $6,
                note = $7, held_for = null, progress = null, alone_id = $8 where id = $1
            """, [run, state.ToString(), told.StartedAt.UtcDateTime, told.EndedAt.UtcDateTime, (long)Math.Max(1, told.Attempts),
                JsonText.Of(Kept(told), WireJson.Default.JobResult), Alone(told), told.Id], ct);
        return await Log(tx, host, told, run, ct);
    }

    async Task<EndedRun> Insert(Transaction tx, HostId host, AloneRun told, RunState state, KnownItem? item, bool isOfTime, string note,
        CancellationToken ct)
    {
        var isTaken = await tx.Scalar<bool>("select exists (select from run where id = $1)", [told.Id], ct);
        var id = isTaken ? RunId.New(clock) : told.Id;
        var policy = item is null ? null : (PolicyId?)(item.IsPolicyKnown ? told.Policy : item.Policy);
        await tx.Execute("""
            insert into run (id, kind, state, title, item_id, policy_id, host_id, repository_id, nominal_at, requested_by, job, due_at,
                started_at, finished_at, lease_epoch, result, note, alone_id)
            values ($1, 'Backup', $2, $3, $4, $5, $6, $7, $8, $9, $10, least($11, clock()), least($11, clock()), least($12, clock()), $13,
                $14, $15, $16)
            """, [id, state.ToString(), $"Back up {Cut(item?.Name ?? told.Title, 500)}", item is null ? null : told.Item.Value,
                policy?.Value, host, told.Repository, isOfTime ? told.NominalAt.UtcDateTime : null, "the host, alone",
                new JsonText(RunTable.Write(new StoredJob(Backup: item is null ? null : new BackupJob
                {
                    Source = item.Source,
                    HostName = item.HostName,
                    Tags = [$"{RecoveryPointTable.ItemTag}{told.Item}", $"backupdr.run={id}"],
                    Hooks = item.Hooks,
                }))), told.StartedAt.UtcDateTime, told.EndedAt.UtcDateTime, (long)Math.Max(1, told.Attempts),
                JsonText.Of(Kept(told), WireJson.Default.JobResult), note, told.Id], ct);
        return await Log(tx, host, told, id, ct);
    }

    /// <summary>Its lines, with the host's times.</summary>
    static async Task<EndedRun> Log(Transaction tx, HostId host, AloneRun told, RunId run, CancellationToken ct)
    {
        await tx.Execute("""
            insert into run_event (run_id, seq, epoch, at, level, code, text)
            select $1, coalesce((select max(seq) from run_event where run_id = $1), 0) + n, $2, least(at, clock()), level, code, text
            from unnest($3::timestamptz[], $4::text[], $5::text[], $6::text[]) with ordinality as lines (at, level, code, text, n)
            """, [run, (long)Math.Max(1, told.Attempts), told.Events.Select(line => line.At.UtcDateTime).ToArray(),
                told.Events.Select(line => line.Level.ToString()).ToArray(), told.Events.Select(line => Cut(line.Code, 100)).ToArray(),
                told.Events.Select(line => Cut(line.Text, 4000)).ToArray()], ct);
        await RunTable.Event(tx, run, Math.Max(1, told.Attempts), told.Result.Outcome == JobOutcome.Failed ? EventLevel.Error
            : EventLevel.Info, told.Result.Error?.Code ?? Told, told.Result.Error?.Message
            ?? $"{Alone(told)} Told now, after {told.Attempts} begin(s).", ct);
        return await tx.First("select state, lease_epoch, item_id, policy_id, host_id, repository_id, title, started_at, clock() as now "
            + "from run where id = $1", [run], row => new EndedRun
            {
                Id = run,
                State = row.Word<RunState>("state"),
                Epoch = row.Long("lease_epoch"),
                Kind = JobKind.Backup,
                Item = row.IdOrNull<ItemId>("item_id"),
                Policy = row.IdOrNull<PolicyId>("policy_id"),
                Host = row.Id<HostId>("host_id"),
                Repository = row.Id<RepositoryId>("repository_id"),
                LeaseHolds = true,
                Title = row.Text("title"),
                CancelAsked = false,
                Looks = 0,
                IsSameResult = false,
                StartedAt = row.TimeOrNull("started_at"),
                EndedAt = row.Time("now"),
            }, ct) ?? throw new InvalidOperationException($"{run} of {host} was written and is not there.");
    }

    static JobResult Kept(AloneRun told) => told.Result.Backup is not { } backup ? told.Result
        : told.Result with { Backup = backup with { MadeAlone = true } };

    static string Alone(AloneRun told) => $"Made by the host alone: no node was reachable since {Time(told.AloneSince)}.";

    static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

    static string Cut(string text, int length) => text.Length <= length ? text : text[..length];
}
