using BackupDr.Engine;
using BackupDr.Engine.Backup;

namespace BackupDr.Sources.Volumes;

/// <summary>What a backup of a volume did.</summary>
/// <param name="Run">The snapshot and its numbers.</param>
/// <param name="SizeBytes">Bytes of the volume.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record VolumeBackupSummary(BackupSummary Run, long SizeBytes, IReadOnlyList<string> Remarks);

/// <summary>Backs up a block device, or the image of one.</summary>
/// <remarks>It is cut into aligned chunks of 64 KiB: only those that changed are stored, holes are not read, and zeros are stored once. A
/// run that was killed reads again, and stores what is missing. An image whose times are those of the last backup is not read at all.
/// </remarks>
public static class VolumeBackup
{
    /// <summary>Tag of the snapshots.</summary>
    public const string Tag = "volume";

    /// <summary>Takes one.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="path">Absolute path of the device or the image.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ct">Cancels; nothing is published then.</param>
    /// <exception cref="SourceException">It is none, or is written to.</exception>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged.</exception>
    public static async Task<VolumeBackupSummary> Run(Repository repository, string path, VolumeBackupOptions options,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        var findings = VolumePreflight.Look(path, options.InUse);
        if (findings.FirstOrDefault(one => one.Severity == FindingSeverity.Blocking) is { } wrong)
            throw new SourceException(wrong.Code, wrong.Message, wrong.Remedy);
        using var source = new VolumeSource(path);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [Tag, .. options.Tags],
            CountFirst = progress is not null,
        }, progress, ct);
        return new VolumeBackupSummary(run, source.SizeBytes, [.. findings.Select(one => one.Message)]);
    }
}
