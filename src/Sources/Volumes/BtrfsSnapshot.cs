using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A read-only snapshot of a Btrfs subvolume, for as long as it is read. It lies in a private folder in the subvolume itself,
/// which is held by a lock of the kernel: what a killed run left behind is recognised by that.</summary>
sealed class BtrfsSnapshot : IAsyncDisposable
{
    /// <summary>How the folders begin.</summary>
    public const string Start = ".backupdr-snapshot-";

    const string Inner = "tree";
    const int RootInode = 256;

    readonly string _room;
    readonly Descriptor _lock;

    BtrfsSnapshot(FilePath subvolume, string room, Descriptor held) => (Subvolume, _room, _lock) = (subvolume, room, held);

    /// <summary>What it is a snapshot of.</summary>
    public FilePath Subvolume { get; }

    /// <summary>Where it stands.</summary>
    public FilePath Tree => FilePath.FromText(Path.Combine(_room, Inner));

    /// <summary>The root of the subvolume that a folder lies in; null where it cannot be reached from there.</summary>
    /// <param name="folder">Absolute path without links, on Btrfs.</param>
    public static FilePath? RootOf(FilePath folder)
    {
        var device = Descriptor.StatOf(folder).DeviceId;
        for (var at = folder; ; at = Above(at))
        {
            var status = Descriptor.StatOf(at);
            if (status.DeviceId != device) return null;   // what is mounted here is a part of a subvolume
            if (status.Inode == RootInode) return at;
            if (at.Parts().Count == 0) return null;
        }
    }

    static FilePath Above(FilePath path)
        => path.Parts().SkipLast(1).Aggregate(FilePath.FromText("/"), (at, part) => at.Join(part.Bytes));

    /// <summary>Takes one, after what killed runs left there is gone.</summary>
    /// <exception cref="SourceException">It cannot be taken.</exception>
    public static async Task<BtrfsSnapshot> Take(FilePath subvolume, CancellationToken ct)
    {
        var text = subvolume.ToString();
        if (FilePath.FromText(text) != subvolume)
            throw new SourceException("snapshot.name", $"{subvolume} has a name that is no UTF-8.", "Rename it.");
        foreach (var (name, kind) in Disk.List(text))
            if (kind == FileKind.Folder && name.StartsWith(Start, StringComparison.Ordinal)) await RemoveIfLeft(Path.Combine(text, name));
        var room = Path.Combine(text, Start + RandomNumberGenerator.GetHexString(16, lowercase: true));
        var held = PrivateFolder.Open(FilePath.FromText(room));
        FileLock.TryTake(held);
        var made = new BtrfsSnapshot(subvolume, room, held);
        var (exit, lines) = await Subvolumes.Run(["subvolume", "snapshot", "-r", text, made.Tree.ToString()], ct);
        if (exit == 0) return made;
        await made.DisposeAsync();
        throw new SourceException("snapshot.failed", $"No snapshot of {subvolume} could be taken: {string.Join(" ", lines)}",
            "As the tool says; without a snapshot the files are read while they change.");
    }

    /// <summary>Removes those that killed runs left anywhere on this host; of those in use none.</summary>
    /// <returns>How many.</returns>
    public static async Task<int> RemoveLeft(CancellationToken ct)
    {
        var removed = 0;
        foreach (var mount in MountTable.Read().Where(mount => mount is { FileSystem: "btrfs", IsReadOnly: false })
            .DistinctBy(mount => (mount.Number, mount.Root)))
            foreach (var snapshot in await Subvolumes.SnapshotsBelow(mount, ct))
                if (Path.GetDirectoryName(snapshot.ToString()) is { } room
                    && Path.GetFileName(room).StartsWith(Start, StringComparison.Ordinal) && await RemoveIfLeft(room)) removed++;
        return removed;
    }

    static async Task<bool> RemoveIfLeft(string room)
    {
        try
        {
            using var left = Descriptor.OpenFolder(FilePath.FromText(room));
            if (!FileLock.TryTake(left)) return false;
            await Remove(room);
            return true;
        }
        catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.EPERM or Errno.ENOENT) { return false; }   // gone, or not ours
    }

    // Not cancelled: what is not removed now takes room until the next run.
    static async Task Remove(string room)
    {
        var tree = Path.Combine(room, Inner);
        if (Disk.Exists(tree)) await Subvolumes.Run(["subvolume", "delete", tree], CancellationToken.None);
        Disk.RemoveTree(room);
    }

    /// <summary>Removes it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Remove(_room);
        _lock.Dispose();
    }
}
