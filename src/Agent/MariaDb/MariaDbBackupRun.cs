using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>A base backup as a job: the server is looked at first, so that what stands in the way is told with what mends it.</summary>
static class MariaDbBackupRun
{
    const int MostDatabases = 1000;
    // What each server has for itself, beside what its administrators made.
    static readonly string[] OwnSchemas = ["mysql", "sys"];

    /// <exception cref="SourceException">Something stands in the way, or mariadb-backup failed.</exception>
    public static async Task<(BackupSummary Run, MariaDbPoint Point)> Run(Repository repository, BackupJob job, MariaDbSpec spec,
        RunReporter reporter, IProgress<BackupProgress> progress, CancellationToken ct)
    {
        var address = ServerPlace.Of(spec);
        reporter.Progress(new JobProgress { Phase = "preflight" });
        foreach (var finding in await ServerPlace.Check(spec, address, receivesLog: false, ct))
            reporter.Event(finding.Severity == FindingSeverity.Warning ? EventLevel.Warning : EventLevel.Info, "backup.preflight",
                finding.Remedy is null ? finding.Message : $"{finding.Message} Mend it with: {finding.Remedy}");
        var taken = await MariaDbBackup.Run(repository, address, new MariaDbBackupOptions
        {
            HostName = job.HostName,
            UserName = Environment.UserName,
            Tags = job.Tags,
            Program = $"backupdr {AgentCommand.Version}",
        }, progress, ct);
        foreach (var remark in taken.Remarks) reporter.Event(EventLevel.Warning, "backup.remark", remark);
        var manifest = taken.Manifest;
        reporter.Event(EventLevel.Info, "backup.server", $"MariaDB {manifest.ServerVersion}, {manifest.Server}: "
            + $"{manifest.Tables.Count} InnoDB tables" + (manifest.BinlogFile.Length == 0 ? "." : $"; the binary log goes on at "
            + $"{manifest.BinlogFile}:{manifest.BinlogPosition}{(manifest.Gtid.Length > 0 ? $" ({manifest.Gtid})" : "")}."));
        return (taken.Run, Point(manifest));
    }

    /// <summary>What a manifest says that a restore has to know.</summary>
    public static MariaDbPoint Point(MariaDbManifest manifest) => new()
    {
        Server = manifest.Server,
        ServerVersion = manifest.ServerVersion,
        DataFolder = FilePath.FromText(manifest.DataFolder),
        StartedAt = manifest.StartedAt,
        StoppedAt = manifest.StoppedAt,
        Position = manifest is { BinlogFile.Length: > 0, BinlogCreatedAt: { } created }
            ? LogPosition.OfBinlog(manifest.BinlogFile, created, manifest.BinlogPosition) : null,
        Gtid = manifest.Gtid,
        // "shop/orders"
        Databases = [.. manifest.Tables.Select(table => table.Split('/')[0]).Where(name => !OwnSchemas.Contains(name))
            .CountBy(name => name).OrderBy(entry => entry.Key, StringComparer.Ordinal).Take(MostDatabases)
            .Select(entry => new DatabaseFound(entry.Key, entry.Value))],
    };
}
