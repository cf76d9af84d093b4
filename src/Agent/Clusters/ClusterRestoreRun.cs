using System.Diagnostics;
using System.Globalization;
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

/// <summary>Puts a cluster as it was at a moment into a folder of this host, and starts a server in it where that is wanted.</summary>
static class ClusterRestoreRun
{
    const string SocketFolder = "/tmp";
    const int FirstPort = 54320, LastPort = 54999;
    static readonly TimeSpan LongestRecovery = TimeSpan.FromHours(12);

    /// <exception cref="SourceException">The moment cannot be reached, the backup is not whole, or the server does not start.</exception>
    /// <exception cref="BadInputException">The folder is not empty.</exception>
    /// <exception cref="ConflictException">A server runs in the folder that is to be replaced.</exception>
    public static async Task<JobResult> Run(Repository repository, RestoreJob job, ClusterRestoreJob cluster, ThawRequest thaw,
        RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        var (folder, port) = (job.Target.ToString(), FreePort());
        using var place = cluster.InPlace ? ReplacedFolder.Begin(folder, "postgres.running", ClusterDiscovery.RunningIn) : null;
        var moment = Target(cluster.Moment);
        reporter.Event(EventLevel.Info, "restore.begin", $"Restoring cluster {cluster.SystemIdentifier} as of {moment} to {folder}.");
        var restored = await ClusterRestore.Run(repository, new ClusterRestoreOptions
        {
            Folder = place?.New ?? folder,
            SystemIdentifier = cluster.SystemIdentifier,
            Base = moment.Kind == TargetKind.EndOfBackup ? job.SnapshotId : null,
            Target = moment,
            SocketFolder = SocketFolder,
            Port = port,
            KeepsSettings = cluster.InPlace,
            Thaw = thaw,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        foreach (var remark in restored.Remarks) reporter.Event(EventLevel.Warning, "restore.remark", remark);
        reporter.Event(EventLevel.Info, "restore.files", $"Restored {restored.Files.Files} files of the base backup "
            + $"{restored.BaseId[..8]} and {restored.Segments} segments of the log.");
        place?.Swap();
        StartedCluster? started = null;
        if (cluster.Starts && File.Exists(Path.Combine(folder, "postgresql.conf")))
        {
            reporter.Progress(new JobProgress { Phase = "recovering" });
            started = await ClusterStart.Run(restored, folder, LongestRecovery, TimeProvider.System, ct);
            reporter.Event(EventLevel.Info, "restore.recovered", $"The server recovered to {started.ReachedLsn ?? "its end"} in "
                + $"{started.Time.TotalSeconds:0.0} s" + (started.ReachedAt is { } at ? $"; the last commit in it is of {at:u}." : "."));
        }
        else if (cluster.Starts)
            reporter.Event(EventLevel.Warning, "restore.start",
                "The cluster's settings lie outside of its data folder: start it as its system does.");
        place?.Keep();
        var result = Result(restored, folder, port, started, cluster.InPlace) with
        {
            KeptFolder = place is null ? null
            : FilePath.FromText(place.Old)
        };
        if (place is not null) reporter.Event(EventLevel.Info, "restore.kept", $"What was there before is in {place.Old}.");
        if (started is null) reporter.Event(EventLevel.Info, "restore.done", $"Start it with: {result.StartCommand}");
        return new JobResult
        {
            Outcome = JobOutcome.Complete,
            Healed = JobRunner.Healed(repository, reporter),
            Restore = new RestoreResult
            {
                Target = job.Target,
                Files = restored.Files.Files,
                Bytes = restored.Files.Bytes,
                Cluster = result,
                Seconds = Math.Round(Stopwatch.GetElapsedTime(begun).TotalSeconds, 3),
            },
        };
    }

    static RestoredCluster Result(ClusterRestoreSummary restored, string folder, int port, StartedCluster? started, bool isInPlace) => new()
    {
        ServerVersion = restored.Manifest.ServerVersion,
        BaseSnapshot = restored.BaseId,
        Moment = restored.Target.ToString(),
        Segments = restored.Segments,
        SocketFolder = isInPlace ? restored.Manifest.Settings.GetValueOrDefault("unix_socket_directories", SocketFolder) : SocketFolder,
        Port = isInPlace && int.TryParse(restored.Manifest.Settings.GetValueOrDefault("port"), CultureInfo.InvariantCulture, out var own)
            ? own : port,
        StartCommand = StartCommand(restored, folder),
        IsRunning = started is not null,
        ReachedLsn = started?.ReachedLsn,
        ReachedAt = started?.ReachedAt,
        RecoverySeconds = started is null ? 0 : Math.Round(started.Time.TotalSeconds, 3),
    };

    /// <summary>A moment as the source knows it.</summary>
    /// <exception cref="BadInputException">It is of a kind that this agent does not know.</exception>
    internal static RecoveryTarget Target(Moment? moment) => moment switch
    {
        null or { Kind: MomentKind.EndOfBackup } => RecoveryTarget.EndOfBackup,
        { Kind: MomentKind.Latest } => RecoveryTarget.Latest,
        { Kind: MomentKind.Time, Time: { } time } => RecoveryTarget.At(time) with { IsInclusive = moment.IsInclusive },
        { Kind: MomentKind.Position, Position: { } at } => RecoveryTarget.At(Lsn.Parse(at)) with { IsInclusive = moment.IsInclusive },
        { Kind: MomentKind.Name, Name: { } name } => RecoveryTarget.Named(name),
        { Kind: MomentKind.Transaction, Transaction: { } xid } => RecoveryTarget.Of(xid) with { IsInclusive = moment.IsInclusive },
        _ => throw new BadInputException("moment", $"The moment {moment.Kind} is unknown to this agent, or not described.",
            "Install the agent of the node's version."),
    };

    // The port of a copy only names its socket, beside which the server holds a lock.
    static int FreePort() => Enumerable.Range(FirstPort, LastPort - FirstPort + 1).FirstOrDefault(port
        => !File.Exists(string.Create(CultureInfo.InvariantCulture, $"{SocketFolder}/.s.PGSQL.{port}.lock")), FirstPort);

    static string StartCommand(ClusterRestoreSummary restored, string folder) => ShellLine.AsOwner(restored.Owner,
        [$"/usr/lib/postgresql/{restored.Manifest.ServerVersion / 10_000}/bin/pg_ctl", "-D", folder, "-w", "-t", "86400", "start"]);
}
