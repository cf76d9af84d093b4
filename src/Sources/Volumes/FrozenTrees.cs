using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>Snapshots of the file systems that a backup of files reads, dropped when it is over.</summary>
/// <remarks>All files of one snapshot are as of one moment. What has no snapshot is read as it stands, and <see cref="Warnings"/> says so.
/// </remarks>
public sealed class FrozenTrees : IAsyncDisposable
{
    const int MostSnapshots = 64, MostWarnings = 100;

    readonly Lock _gate = new();
    readonly SnapshotUse _use;
    readonly List<BtrfsSnapshot> _snapshots = [];
    readonly List<string> _warnings = [];
    readonly HashSet<FilePath> _mounts;

    FrozenTrees(SnapshotUse use, IReadOnlyList<MountPoint> mounts) => (_use, _mounts) = (use, [.. mounts.Select(mount => mount.Path)]);

    /// <summary>What is not as of one moment, and why; at most 100.</summary>
    public IReadOnlyList<string> Warnings { get { lock (_gate) return [.. _warnings]; } }

    /// <summary>Where snapshots stand, by what they show.</summary>
    public IReadOnlyList<FilePath> Roots => [.. _snapshots.Select(one => one.Subvolume)];

    /// <summary>Takes a snapshot of each file system on which one of the paths lies.</summary>
    /// <param name="paths">Absolute paths of what is to be backed up.</param>
    /// <param name="use">Whether they are wanted.</param>
    /// <param name="oneFileSystem">Whether subvolumes below the paths are left out.</param>
    /// <param name="ct">Cancels; what was taken is dropped.</param>
    /// <exception cref="SourceException">One is required and cannot be had.</exception>
    public static async Task<FrozenTrees> Take(IReadOnlyList<FilePath> paths, SnapshotUse use, bool oneFileSystem, CancellationToken ct)
    {
        var mounts = use == SnapshotUse.None ? [] : MountTable.Read();
        var trees = new FrozenTrees(use, mounts);
        if (use == SnapshotUse.None) return trees;
        try
        {
            foreach (var path in paths) await trees.Freeze(path, mounts, ct);
            if (!oneFileSystem) await trees.FreezeBelow(paths, mounts, ct);
            return trees;
        }
        catch
        {
            await trees.DisposeAsync();
            throw;
        }
    }

    async Task Freeze(FilePath path, IReadOnlyList<MountPoint> mounts, CancellationToken ct)
    {
        FilePath folder;
        try { folder = RealFolder(path, Descriptor.StatOf(path).Kind == FileKind.Folder); }
        catch (PosixException) { return; }   // not there, or not for us: the walk tells
        var mount = MountTable.Of(mounts, folder);
        var why = mount is not { FileSystem: "btrfs" } ? $"{mount?.FileSystem ?? "its file system"} has no snapshots that we can take"
            : !AccountNames.IsRoot ? "a snapshot takes root"
            : !Subvolumes.HasTool ? "the package btrfs-progs is not installed" : null;
        if (why is null && BtrfsSnapshot.RootOf(folder) is { } root) await Add(root, ct);
        else Lack(path, why ?? "it is mounted as a part of a subvolume");
    }

    async Task FreezeBelow(IReadOnlyList<FilePath> paths, IReadOnlyList<MountPoint> mounts, CancellationToken ct)
    {
        foreach (var mount in mounts.Where(mount => _snapshots.Any(one => MountTable.Of(mounts, one.Subvolume)!.Number == mount.Number
            && MountTable.Of(mounts, one.Subvolume)!.Path == mount.Path)))
            foreach (var below in await Subvolumes.Below(mount, ct))
                if (paths.Any(path => MountTable.IsWithin(below, path)) && MountTable.Of(mounts, below) == mount) await Add(below, ct);
    }

    async Task Add(FilePath subvolume, CancellationToken ct)
    {
        if (_snapshots.Any(one => one.Subvolume == subvolume)) return;
        if (_snapshots.Count == MostSnapshots) { Lack(subvolume, $"{MostSnapshots} snapshots are the most"); return; }
        try { _snapshots.Add(await BtrfsSnapshot.Take(subvolume, ct)); }
        catch (BackupDrException e) when (_use != SnapshotUse.Required) { Lack(subvolume, e.Message); }
    }

    /// <summary>Notes that something is read without a snapshot.</summary>
    /// <exception cref="SourceException">It is required.</exception>
    void Lack(FilePath path, string why)
    {
        if (_use == SnapshotUse.Required)
            throw new SourceException("snapshot.unavailable", $"{path} cannot be frozen: {why}.",
                "Put it on a file system with snapshots, or let the policy go on without one.");
        Warn($"{path} was read without a snapshot, because {why}: its files may be of different moments.");
    }

    void Warn(string warning)
    {
        lock (_gate)
            if (_warnings.Count < MostWarnings) _warnings.Add(warning);
    }

    // As the person typed it the path may lead through links; the tables of the kernel know it without.
    static FilePath RealFolder(FilePath path, bool isFolder)
    {
        var parts = path.Parts();
        var folder = isFolder || parts.Count == 0 ? path
            : parts.SkipLast(1).Aggregate(FilePath.FromText("/"), (at, part) => at.Join(part.Bytes));
        using var opened = Descriptor.OpenFolder(folder);
        using var links = Descriptor.OpenFolder(FilePath.FromText("/proc/self/fd"));
        return links.ReadLink(System.Text.Encoding.ASCII.GetBytes($"{opened.DangerousGetHandle()}"));
    }

    /// <summary>Where a target of the backup is to be read; null where it has no snapshot.</summary>
    internal FrozenPlace? Of(FilePath path)
    {
        if (_snapshots.Count == 0) return null;
        FilePath real;
        try
        {
            var isFolder = Descriptor.StatOf(path).Kind == FileKind.Folder;
            real = RealFolder(path, isFolder);
            if (!isFolder) real = real.Join(path.Name.Bytes);
        }
        catch (PosixException) { return null; }   // gone meanwhile
        return Place(real);
    }

    FrozenPlace? Place(FilePath real)
    {
        var snapshot = _snapshots.Where(one => MountTable.IsWithin(real, one.Subvolume)).MaxBy(one => one.Subvolume.Parts().Count);
        if (snapshot is null) return null;
        var seen = real.Parts().Skip(snapshot.Subvolume.Parts().Count).Aggregate(snapshot.Tree, (at, part) => at.Join(part.Bytes));
        return new FrozenPlace(this, real, seen, Descriptor.StatOf(snapshot.Tree).DeviceId,
            Descriptor.StatOf(snapshot.Subvolume).DeviceId);
    }

    /// <summary>The snapshot of a subvolume that lies below another one; null where it has none.</summary>
    internal FrozenPlace? Below(FilePath real) => _snapshots.Any(one => one.Subvolume == real) ? Place(real) : null;

    internal bool IsMountPoint(FilePath real) => _mounts.Contains(real);

    /// <summary>Something below a target is read as it stands.</summary>
    /// <returns>Whether the run may go on so.</returns>
    internal bool MayBeRead(FilePath path)
    {
        if (_use != SnapshotUse.Required)
            Warn($"{path} was read without a snapshot, because it is a file system of its own: its files may be of different moments.");
        return _use != SnapshotUse.Required;
    }

    /// <summary>Removes what killed runs left on this host.</summary>
    /// <returns>How many snapshots.</returns>
    public static Task<int> RemoveLeft(CancellationToken ct) => AccountNames.IsRoot && Subvolumes.HasTool
        ? BtrfsSnapshot.RemoveLeft(ct) : Task.FromResult(0);

    /// <summary>Drops them.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var snapshot in _snapshots) await snapshot.DisposeAsync();
        _snapshots.Clear();
    }
}

/// <summary>Where something is to be read instead of where it stands.</summary>
/// <param name="Trees">All of the run.</param>
/// <param name="Real">Where it stands, without links.</param>
/// <param name="Seen">Where the snapshot shows it.</param>
/// <param name="SeenDevice">Number of the file system there.</param>
/// <param name="RealDevice">Number of the one where it stands: what the snapshot of the backup names.</param>
sealed record FrozenPlace(FrozenTrees Trees, FilePath Real, FilePath Seen, ulong SeenDevice, ulong RealDevice)
{
    /// <summary>The folder in which the snapshot shows it.</summary>
    public FilePath SeenFolder => Seen.Parts().SkipLast(1).Aggregate(FilePath.FromText("/"), (at, part) => at.Join(part.Bytes));
}
