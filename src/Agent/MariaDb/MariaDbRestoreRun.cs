using System.Diagnostics;
using BackupDr.Agent.Clusters;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Tiers;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>Puts a server as it was at a moment into a folder of this host, and starts one in it where that is wanted; or takes one table
/// out of it.</summary>
static class MariaDbRestoreRun
{
    static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(10);

    /// <exception cref="SourceException">The moment cannot be reached, the backup is not whole, or the server does not start.</exception>
    /// <exception cref="BadInputException">The folder is not empty, or the file is there already.</exception>
    /// <exception cref="ConflictException">A server runs in the folder that is to be replaced.</exception>
    public static async Task<JobResult> Run(Repository repository, RunId run, RestoreJob job, MariaDbRestoreJob server, ThawRequest thaw,
        AgentState state, RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        var moment = Target(server.Moment);
        reporter.Event(EventLevel.Info, "restore.begin", $"Restoring {(server.Table is { } one ? $"{one} of " : "")}{server.Server} as of "
            + $"{moment} to {job.Target}.");
        var options = new MariaDbRestoreOptions
        {
            Folder = job.Target.ToString(),
            Server = server.Server,
            Base = moment.Kind == BinlogTargetKind.EndOfBackup ? job.SnapshotId : null,
            Target = moment,
            Port = null,
            Thaw = thaw,
        };
        var (restored, result) = server.Table is { } table
            ? await Table(repository, run, job, server, table, options, state, reporter, ct)
            : await Whole(repository, server, options, reporter, ct);
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Healed = JobRunner.Healed(repository, reporter),
            Restore = new RestoreResult
            {
                Target = job.Target,
                Files = restored.Files.Files,
                Bytes = restored.Files.Bytes,
                MariaDb = result,
                Seconds = Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 3),
            },
        };
    }

    static async Task<(MariaDbRestoreSummary, RestoredMariaDb)> Whole(Repository repository, MariaDbRestoreJob server,
        MariaDbRestoreOptions options, RunReporter reporter, CancellationToken ct)
    {
        var folder = options.Folder;
        using var place = server.InPlace ? ReplacedFolder.Begin(folder, "mariadb.running", MariaDbDiscovery.RunningIn) : null;
        var restored = await MariaDbRestore.Run(repository, options with
        {
            Folder = place?.New ?? folder,
            IsCopy = !server.InPlace,
            IsTried = server.InPlace,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        Tell(restored, reporter);
        place?.Swap();
        place?.Keep();
        if (place is not null)
        {
            reporter.Event(EventLevel.Info, "restore.kept", $"What was there before is in {place.Old}.");
            reporter.Event(EventLevel.Warning, "restore.start", "A server was started in it once where nobody could reach it, and stopped "
                + "again. Start it as its system does; where its binary log lies outside of the data folder, begin with RESET MASTER, "
                + "because the log goes on from what is no longer there.");
        }
        if (server is { Starts: true, InPlace: false })
        {
            reporter.Progress(new JobProgress { Phase = "starting" });
            await MariaDbStart.Run(restored, folder, null, LongestStart, TimeProvider.System, ct);
            reporter.Event(EventLevel.Info, "restore.started", $"A server runs in {folder}, with a socket there and no network.");
        }
        var result = Result(restored) with
        {
            StartCommand = server.InPlace ? null : StartCommand(restored, folder),
            Socket = server.InPlace ? null : Path.Combine(folder, MariaDbRestore.SocketName),
            IsRunning = server is { Starts: true, InPlace: false },
            KeptFolder = place is null ? null : FilePath.FromText(place.Old),
        };
        if (result is { IsRunning: false, StartCommand: { } command })
            reporter.Event(EventLevel.Info, "restore.done", $"Start it with: {command}");
        return (restored, result);
    }

    static async Task<(MariaDbRestoreSummary, RestoredMariaDb)> Table(Repository repository, RunId run, RestoreJob job,
        MariaDbRestoreJob server, DatabaseTable table, MariaDbRestoreOptions options, AgentState state, RunReporter reporter,
        CancellationToken ct)
    {
        using var sandbox = DrillSandbox.Make(state, run, server.Scratch ?? FilePath.FromText("/var/tmp"));
        var restored = await MariaDbDump.Table(repository, options with { Folder = sandbox.Folder }, table.Database, table.Name,
            job.Target.ToString(), RestoreJobRun.Progress(reporter, "restoring"), ct);
        Tell(restored, reporter);
        reporter.Event(EventLevel.Info, "restore.table", $"{job.Target} brings {table} back; it drops a table of that name that is there.");
        return (restored, Result(restored) with { Table = table });
    }

    static void Tell(MariaDbRestoreSummary restored, RunReporter reporter)
    {
        foreach (var remark in restored.Remarks) reporter.Event(EventLevel.Warning, "restore.remark", remark);
        var (files, stop) = (restored.Files.Files, restored.Stop);
        reporter.Event(EventLevel.Info, "restore.files", $"Restored {files} files of the base backup {restored.BaseId[..8]}.");
        if (stop.Transactions > 0)
            reporter.Event(EventLevel.Info, "restore.recovered", $"Replayed {Count(stop.Transactions)} of the binary log, up to "
                + $"{stop.File}:{stop.Position}; the last one, {stop.Last}, was committed at {stop.LastAt:u}.");
    }

    static string Count(long transactions) => transactions == 1 ? "1 transaction" : $"{transactions} transactions";

    static RestoredMariaDb Result(MariaDbRestoreSummary restored) => new()
    {
        ServerVersion = restored.Manifest.ServerVersion,
        BaseSnapshot = restored.BaseId,
        Moment = restored.Target.ToString(),
        Transactions = restored.Stop.Transactions,
        ReachedPosition = restored.Stop.File.Length > 0 ? $"{restored.Stop.File}:{restored.Stop.Position}" : null,
        ReachedGtid = (restored.Stop.Last?.ToString() ?? restored.Manifest.Gtid) is { Length: > 0 } gtid ? gtid : null,
        ReachedAt = restored.Stop.LastAt,
    };

    static BinlogTarget Target(Moment? moment) => moment switch
    {
        null or { Kind: MomentKind.EndOfBackup } => BinlogTarget.EndOfBackup,
        { Kind: MomentKind.Latest } => BinlogTarget.Latest,
        { Kind: MomentKind.Time, Time: { } time } => BinlogTarget.At(time),
        { Kind: MomentKind.Position, Position: { } at } => BinlogTarget.ParsePosition(at, "moment"),
        { Kind: MomentKind.Gtid, Gtid: { } gtid } => BinlogTarget.ParseGtid(gtid, "moment") with { IsInclusive = moment.IsInclusive },
        _ => throw new BadInputException("moment", $"The moment {moment.Kind} is unknown to this agent, or not described.",
            "Install the agent of the node's version."),
    };

    static string StartCommand(MariaDbRestoreSummary restored, string folder)
        => ShellLine.AsOwner(restored.Owner, MariaDbStart.Command(folder, null));
}
