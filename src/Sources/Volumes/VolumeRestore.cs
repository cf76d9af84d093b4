using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>What was restored.</summary>
/// <param name="SnapshotId">Snapshot.</param>
/// <param name="Volume">Where it was when it was backed up.</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="Path">Where it is now.</param>
/// <param name="BytesWritten">How much was written; null where it is a new file. What a device held already was not written again.</param>
public sealed record VolumeRestoreSummary(string SnapshotId, string Volume, long SizeBytes, string Path, long? BytesWritten);

/// <summary>Puts a volume back.</summary>
public static class VolumeRestore
{
    internal static readonly OneThing Kind = new(VolumeBackup.Tag, "--volume", "a volume", "volumes");

    /// <summary>Restores to a file, in which zeros are holes, or onto a device. A file appears whole or not at all; a device is compared
    /// first and gets what differs, so that a restore that was broken off goes on when it is run again.</summary>
    /// <exception cref="BadInputException">Something stands there, the device is too small or not confirmed, or it is not known which
    /// volume is meant.</exception>
    /// <exception cref="ConflictException">The target is in use.</exception>
    /// <exception cref="SourceException">It could not be restored whole.</exception>
    /// <exception cref="RepositoryException">NoSuchSnapshot, Damaged or Archived.</exception>
    public static async Task<VolumeRestoreSummary> Run(Repository repository, VolumeRestoreOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        var isDevice = IsDevice(options);
        var (snapshot, volume, node) = await Find(repository, options.Volume, options.Snapshot, ct);
        return new VolumeRestoreSummary(snapshot.Id.ToString(), volume, (long)node.SizeBytes, options.Target,
            isDevice ? await OntoDevice(repository, snapshot, volume, node, options.Target, progress, ct)
                : await ToFile(repository, snapshot, volume, options.Target, progress, ct));
    }

    static bool IsDevice(VolumeRestoreOptions options)
    {
        if (!options.Target.StartsWith('/') || options.Target.EndsWith('/'))
            throw new BadInputException("--target", $"'{options.Target}' is no absolute path of a file or a device.",
                "Write /srv/vm/disk.img or /dev/sdb.");
        if (!Disk.Exists(options.Target)) return false;
        var status = Descriptor.StatOf(FilePath.FromText(options.Target), follow: true);
        if (status.Kind == FileKind.BlockDevice)
            return options.Confirm == options.Target ? true : throw new BadInputException("--confirm",
                $"What is on {options.Target} would be lost.", $"Look twice which device it is, then add --confirm {options.Target}.");
        if (!options.Over || status.Kind != FileKind.File)
            throw new BadInputException("--target", $"{options.Target} is there already.",
                "Choose another file, or add --over to replace the image.");
        return OpenFiles.By(options.Target) is not { } pid ? false
            : throw new ConflictException("volume.open", $"Process {pid} has {options.Target} open.",
                "Stop that program first: it would go on in a file that is no longer there.");
    }

    static async Task<long> OntoDevice(Repository repository, Snapshot snapshot, string volume, Node node, string device,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        using var target = DeviceTarget.Open(device, (long)node.SizeBytes);
        var done = await RestoreRun.Execute(repository, snapshot, new RestoreRequest { From = FilePath.FromText(volume) }, target, progress,
            ct);
        return done.Failed.Count == 0 ? done.Bytes : throw Incomplete(done.Failed[0]);
    }

    static async Task<long?> ToFile(Repository repository, Snapshot snapshot, string volume, string target,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
        => await RestoredAside.Run(repository, snapshot, volume, target, isDurable: true, null, progress, ct) is { } problem
            ? throw Incomplete(problem) : null;

    static SourceException Incomplete(Engine.Backup.Problem problem) => new("volume.restore_incomplete",
        $"{problem.Path}: {problem.Message}", "Mend the cause and run the restore again; what is right already is not written again.");

    /// <summary>The snapshot that is meant, with the volume in it.</summary>
    internal static async Task<(Snapshot Snapshot, string Volume, Node Node)> Find(Repository repository, string? volume, string which,
        CancellationToken ct)
    {
        var snapshot = await SnapshotOfOne.Find(repository, Kind, volume, which, ct);
        var path = snapshot.Paths[0];
        var browser = new TreeBrowser(new BlobReader(repository, await repository.LoadIndex(ct)));
        return await browser.Find(snapshot, FilePath.FromText(path), ct) is { Type: NodeType.File } node ? (snapshot, path, node)
            : throw RepositoryException.Damaged($"snapshot {snapshot.ShortId}", $"it does not hold {path}.");
    }
}
