using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Sources;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>A base backup as a job: the server is looked at first, so that what stands in the way is told with what mends it.</summary>
static class ClusterBackupRun
{
    const int MostDatabases = 1000;

    /// <exception cref="SourceException">Something stands in the way, or the session was lost.</exception>
    public static async Task<(BackupSummary Run, ClusterPoint Point)> Run(Repository repository, BackupJob job, PostgreSqlSpec spec,
        RunReporter reporter, IProgress<BackupProgress> progress, CancellationToken ct)
    {
        var address = ClusterAddress.Of(spec);
        reporter.Progress(new JobProgress { Phase = "preflight" });
        foreach (var finding in await ClusterAddress.Check(spec, address, null, ct))
            reporter.Event(finding.Severity == FindingSeverity.Warning ? EventLevel.Warning : EventLevel.Info, "backup.preflight",
                finding.Remedy is null ? finding.Message : $"{finding.Message} Mend it with: {finding.Remedy}");
        var taken = await ClusterBackup.Run(repository, address, new ClusterBackupOptions
        {
            HostName = job.HostName,
            UserName = Environment.UserName,
            Tags = job.Tags,
            Program = $"backupdr {AgentCommand.Version}",
        }, progress, ct);
        foreach (var remark in taken.Remarks) reporter.Event(EventLevel.Warning, "backup.remark", remark);
        var manifest = taken.Manifest;
        reporter.Event(EventLevel.Info, "backup.cluster", $"PostgreSQL {ClusterAddress.Version(manifest.ServerVersion)}, cluster "
            + $"{manifest.SystemIdentifier}: {manifest.StartLsn} to {manifest.StopLsn} on timeline {manifest.Timeline}, "
            + $"{manifest.PagesChecked} pages compared with their checksums.");
        return (taken.Run, Point(manifest));
    }

    /// <summary>What a manifest says that a restore has to know.</summary>
    public static ClusterPoint Point(ClusterManifest manifest) => new()
    {
        SystemIdentifier = manifest.SystemIdentifier,
        ServerVersion = manifest.ServerVersion,
        Timeline = manifest.Timeline,
        StartLsn = manifest.StartLsn,
        StopLsn = manifest.StopLsn,
        StartedAt = manifest.StartedAt,
        StoppedAt = manifest.StoppedAt,
        DataFolder = FilePath.FromText(manifest.DataFolder),
        HasChecksums = manifest.HasChecksums,
        FromStandby = manifest.FromStandby,
        BrokenPages = manifest.BrokenPages.Count,
        Databases = [.. manifest.Databases.Take(MostDatabases).Select(database => new DatabaseFound(database.Name, database.Relations))],
        Tablespaces = [.. manifest.Tablespaces.Select(space => FilePath.FromText(space.Path))],
    };
}
