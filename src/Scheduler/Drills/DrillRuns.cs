using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Drills;

/// <summary>What is test-restored.</summary>
/// <param name="Item">The item; null for a snapshot that was found.</param>
/// <param name="Policy">Its policy.</param>
/// <param name="Name">For the title of the run.</param>
/// <param name="Host">The item's host.</param>
/// <param name="Repository">Where it lies.</param>
/// <param name="Source">What was taken.</param>
/// <param name="Point">The recovery point.</param>
/// <param name="SnapshotId">Its snapshot.</param>
/// <param name="Proof">What the policy wants to know of the copy; null without one.</param>
sealed record DrilledPoint(ItemId? Item, PolicyId? Policy, string Name, HostId Host, RepositoryId Repository, SourceSpec? Source,
    RecoveryPointId Point, string SnapshotId, ProofSpec? Proof);

/// <summary>Makes the runs that test-restore.</summary>
static class DrillRuns
{
    /// <summary>Queues one.</summary>
    /// <param name="tx">The transaction's.</param>
    /// <param name="run">Its id.</param>
    /// <param name="what">What is restored.</param>
    /// <param name="host">The host that does it.</param>
    /// <param name="requestedBy">For the log.</param>
    /// <param name="ct">Cancels.</param>
    public static Task<bool> Start(Transaction tx, RunId run, DrilledPoint what, HostId host, string requestedBy, CancellationToken ct)
        => RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = JobKind.Drill,
            Title = $"Drill {what.Name}",
            Item = what.Item,
            Policy = what.Policy,
            Host = host,
            Repository = what.Repository,
            Point = what.Point,
            RequestedBy = requestedBy,
            Job = new StoredJob(Drill: new DrillJob
            {
                SnapshotId = what.SnapshotId,
                LiveSource = what.Source,
                IsElsewhere = host != what.Host,
                Assertions = what is
                {
                    Proof.Assertions.Count: > 0,
                    Source.Kind: SourceKind.Sqlite or SourceKind.PostgreSql or SourceKind.MariaDb,
                } ? what.Proof.Assertions : null,
                Script = what.Proof?.Script,
                ScriptLimit = what.Proof?.ScriptLimit,
                Limit = what.Proof?.DrillLimit,
            }),
        }, ct);
}
