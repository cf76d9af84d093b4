using System.Diagnostics;
using System.Globalization;
using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>Puts a cluster into a folder of this host that a server can be started in.</summary>
static class ClusterRestoreRun
{
    const string SocketFolder = "/tmp";
    const int FirstPort = 54320, LastPort = 54999;

    /// <exception cref="Sources.SourceException">The backup is not whole.</exception>
    /// <exception cref="Contracts.BadInputException">The folder is not empty.</exception>
    public static async Task<JobResult> Run(Repository repository, RestoreJob job, ClusterRestoreJob cluster, ThawRequest thaw,
        RunReporter reporter, CancellationToken ct)
    {
        var begun = Stopwatch.GetTimestamp();
        var folder = job.Target.ToString();
        reporter.Event(EventLevel.Info, "restore.begin", $"Restoring the cluster in snapshot {job.SnapshotId[..8]} to {folder}.");
        var port = FreePort();
        var restored = await ClusterRestore.Run(repository, new ClusterRestoreOptions
        {
            Folder = folder,
            SystemIdentifier = cluster.SystemIdentifier,
            Base = job.SnapshotId,
            Target = RecoveryTarget.EndOfBackup,
            SocketFolder = SocketFolder,
            Port = port,
            Thaw = thaw,
        }, RestoreJobRun.Progress(reporter, "restoring"), ct);
        foreach (var remark in restored.Remarks) reporter.Event(EventLevel.Warning, "restore.remark", remark);
        var result = new RestoredCluster
        {
            ServerVersion = restored.Manifest.ServerVersion,
            Moment = restored.Target.ToString(),
            Segments = restored.Segments,
            SocketFolder = SocketFolder,
            Port = port,
            StartCommand = StartCommand(restored, folder),
        };
        reporter.Event(EventLevel.Info, "restore.done", $"Restored {restored.Files.Files} files and {restored.Segments} segments of the "
            + $"log. Start it with: {result.StartCommand}");
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

    // The port of a copy only names its socket, beside which the server holds a lock.
    static int FreePort() => Enumerable.Range(FirstPort, LastPort - FirstPort + 1).FirstOrDefault(port
        => !File.Exists(string.Create(CultureInfo.InvariantCulture, $"{SocketFolder}/.s.PGSQL.{port}.lock")), FirstPort);

    static string StartCommand(ClusterRestoreSummary restored, string folder)
    {
        var words = string.Create(CultureInfo.InvariantCulture,
            $"/usr/lib/postgresql/{restored.Manifest.ServerVersion / 10_000}/bin/pg_ctl -D {Quoted(folder)} -w -t 86400 start");
        return Storage.Posix.AccountNames.IsRoot && restored.Owner.Uid != 0 ? string.Create(CultureInfo.InvariantCulture,
            $"setpriv --reuid={restored.Owner.Uid} --regid={restored.Owner.Gid} --clear-groups -- {words}") : words;
    }

    static string Quoted(string path) => path.All(one => char.IsAsciiLetterOrDigit(one) || one is '/' or '-' or '_' or '.') ? path
        : $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
