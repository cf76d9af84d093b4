using System.Diagnostics;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Tiers;
using BackupDr.Sources;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>Puts a cluster up for a while as it was at a moment, where nobody can reach it: to tell its tables, or to take some of them
/// out.</summary>
static class ClusterPartRun
{
    /// <exception cref="SourceException">The moment cannot be reached, the server does not start, or the dump is not whole.</exception>
    /// <exception cref="ConflictException">There is such a table or database already.</exception>
    /// <exception cref="NotFoundException">There was no such table then.</exception>
    public static async Task<JobResult> Run(Repository repository, RunId run, RestoreJob job, ClusterRestoreJob cluster, ThawRequest thaw,
        AgentState state, RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        var spec = cluster.Source ?? new PostgreSqlSpec();
        var moment = ClusterRestoreRun.Target(cluster.Moment);
        using var sandbox = DrillSandbox.Make(state, run, spec.Scratch ?? FilePath.FromText(TemporaryClusterOptions.DefaultFolder));
        reporter.Event(EventLevel.Info, "restore.begin", $"Putting cluster {cluster.SystemIdentifier} up as of {moment} in "
            + $"{sandbox.Folder}, for a while.");
        var put = new TemporaryClusterOptions
        {
            Target = moment,
            SystemIdentifier = cluster.SystemIdentifier,
            Base = moment.Kind == TargetKind.EndOfBackup ? job.SnapshotId : null,
            Below = sandbox.Folder,
            Thaw = thaw,
        };
        var result = cluster.Part is { } part ? await Take(repository, job, part, spec, put, reporter, ct)
            : await Look(repository, job, put, reporter, ct);
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Healed = JobRunner.Healed(repository, reporter),
            Restore = result with { Seconds = Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 3) },
        };
    }

    static async Task<RestoreResult> Look(Repository repository, RestoreJob job, TemporaryClusterOptions put, RunReporter reporter,
        CancellationToken ct)
    {
        var seen = await ClusterPeek.Run(repository, new ClusterPeekOptions { Cluster = put },
            RestoreJobRun.Progress(reporter, "restoring"), ct);
        Told(seen.Restored, seen.Reached, reporter);
        reporter.Event(EventLevel.Info, "restore.looked",
            $"{seen.TableCount} tables in {seen.Databases.Count} databases. The copy is removed.");
        return new RestoreResult
        {
            Target = job.Target,
            Look = new ClusterLook
            {
                Moment = seen.Restored.Target.ToString(),
                BaseSnapshot = seen.Restored.BaseId,
                Segments = seen.Restored.Segments,
                Reached = seen.Reached,
                Tables = [.. seen.Tables.Select(table => new TableSeen(table.Table.Database, table.Table.Schema, table.Table.Name,
                    table.Kind, table.Rows, table.Bytes))],
                TableCount = seen.TableCount,
            },
        };
    }

    static async Task<RestoreResult> Take(Repository repository, RestoreJob job, ClusterPart part, PostgreSqlSpec spec,
        TemporaryClusterOptions put, RunReporter reporter, CancellationToken ct)
    {
        var taken = await TableExtract.Run(repository, new TableExtractOptions
        {
            Cluster = put,
            Database = part.Database,
            Tables = [.. part.Tables.Select(table => new TableName(part.Database, table.Schema, table.Name))],
            File = part.Into is null ? job.Target.ToString() : null,
            IsPlain = part.IsPlain,
            Into = part.Into,
            Live = part.Into is null ? null : ClusterAddress.Of(spec),
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        Told(taken.Restored, taken.Reached, reporter);
        foreach (var remark in taken.Remarks) reporter.Event(EventLevel.Warning, "restore.remark", remark);
        foreach (var table in taken.Tables.Take(ClusterPeekOptions.MostTables))
            reporter.Event(EventLevel.Info, "restore.table", $"{table.Table}: {table.Rows} rows, {table.Indexes} indexes"
                + (table.LoadedAs is { } name ? $", compared with {name}." : $", in {job.Target}."));
        return new RestoreResult
        {
            Target = job.Target,
            Files = part.Into is null ? 1 : 0,
            Bytes = taken.Bytes,
            Part = new TakenPart
            {
                Moment = taken.Restored.Target.ToString(),
                BaseSnapshot = taken.Restored.BaseId,
                Database = part.Database,
                Into = part.Into,
                Tables = [.. taken.Tables.Take(ClusterPeekOptions.MostTables).Select(table => new TableTaken(table.Table.Schema,
                    table.Table.Name, table.Rows, table.Indexes, table.LoadedAs))],
                Remarks = taken.Remarks,
            },
        };
    }

    static void Told(ClusterRestoreSummary restored, string reached, RunReporter reporter)
    {
        foreach (var remark in restored.Remarks) reporter.Event(EventLevel.Warning, "restore.remark", remark);
        reporter.Event(EventLevel.Info, "restore.files", $"It was put up from base backup {restored.BaseId[..8]} and "
            + $"{restored.Segments} segments of the log: {reached}");
    }
}
