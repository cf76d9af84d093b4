using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Retention;

/// <summary>The loop of retention: looks at items once a day, removes what was long enough in the trash, gives back the space. Any node may
/// do it at any time; each step is a transaction of its own and decides anew.</summary>
public sealed class RetentionDue(Postgres db, UpkeepDue upkeep, TimeProvider clock)
{
    const int AtOnce = 100;

    /// <summary>One turn; gives how many looks were made and runs started.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var looks = await RetentionTable.Due(db, AtOnce, ct);
        foreach (var item in looks) await db.InTransaction(tx => RetentionTable.Look(tx, item, ct), ct);
        var forgets = await PointTrash.Due(db, AtOnce, ct);
        foreach (var repository in forgets)
            await db.InTransaction(tx => GarbageTable.Start(tx, repository, JobKind.Forget, RunId.New(clock), "schedule", ct), ct);
        return looks.Count + forgets.Count + await upkeep.Run(JobKind.Prune, ct);
    }
}

/// <summary>What the end of a removal brings about.</summary>
static class RemovalEffects
{
    /// <summary>The catalog agrees with the repository: what is gone reads as forgotten, and replicas are to follow.</summary>
    public static async Task Forgot(Transaction tx, EvidenceLog evidence, TimeProvider clock, EndedRun run, JobResult result,
        CancellationToken ct)
    {
        if (result.Forget is not { Gone.Count: > 0 } done) return;
        var points = await PointTrash.Forgotten(tx, run.Repository, done, ct);
        await ReplicaTable.Forgotten(tx, run.Repository, points, ct);
        await GarbageTable.PruneSoon(tx, run.Repository, ct);
        await ReplicaTable.Start(tx, run.Repository, RunId.New(clock), "system: recovery points were forgotten", false, TimeSpan.Zero, ct);
        await Notifications.Changed(tx, "storage", run.Repository.ToString(), ct);
        await evidence.Append(tx, "forget", run.Repository.ToString(), (await RunEvidence.Of(tx, run, ct)) with
        {
            Points = [.. points.Select(point => point.ToString())],
            Objects = RunEvidence.Number(done.Removed + done.LogsRemoved),
        }, ct);
    }

    /// <summary>Keeps what the prune said; replicas follow.</summary>
    public static async Task Pruned(Transaction tx, TimeProvider clock, EndedRun run, JobResult result, CancellationToken ct)
    {
        await GarbageTable.Pruned(tx, run, result, ct);
        if (result.Prune is { RemovedPacks: > 0 })
            await ReplicaTable.Start(tx, run.Repository, RunId.New(clock), "system: after a prune", false, TimeSpan.Zero, ct);
        await Notifications.Changed(tx, "storage", run.Repository.ToString(), ct);
    }
}
