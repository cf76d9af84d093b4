using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A mounted file system with data of its own.</summary>
/// <param name="Mount">Where.</param>
/// <param name="SizeBytes">All of it.</param>
/// <param name="FreeBytes">What ordinary users may still use.</param>
public sealed record FoundMount(MountPoint Mount, long SizeBytes, long FreeBytes);

/// <summary>The mounts that hold data: on a disk or from another machine, each file system once.</summary>
public static class FoundMounts
{
    static readonly string[] NotOnDisk = ["proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "cgroup", "cgroup2", "overlay", "squashfs",
        "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "configfs", "fusectl", "hugetlbfs", "autofs", "nsfs", "rpc_pipefs",
        "binfmt_misc", "ramfs", "efivarfs", "selinuxfs", "iso9660", "fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs"];

    /// <summary>Looks. A server that does not answer any longer makes this wait for ever.</summary>
    public static IReadOnlyList<FoundMount> Find()
    {
        var found = new List<FoundMount>();
        var seen = new HashSet<(string, FilePath)>();
        foreach (var mount in MountTable.Read().OrderBy(mount => mount.Path.Parts().Count))
        {
            if (NotOnDisk.Contains(mount.FileSystem)) continue;
            // A folder that is mounted once more elsewhere is no file system of its own; a subvolume of Btrfs is.
            if (mount.FileSystem != "btrfs" && mount.Root.Parts().Count > 0) continue;
            if (IsFolder(mount.Path) && seen.Add((mount.Number, mount.Root)) && Size(mount) is { } sized) found.Add(sized);
        }
        return found;
    }

    static bool IsFolder(FilePath path)
    {
        try { return Descriptor.StatOf(path).Kind == FileKind.Folder; }
        catch (PosixException) { return false; }   // unmounted meanwhile, or not for us to see
    }

    static FoundMount? Size(MountPoint mount)
    {
        try
        {
            var drive = new DriveInfo(mount.Path.ToString());
            return new FoundMount(mount, drive.TotalSize, drive.AvailableFreeSpace);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException) { return null; }   // unmounted
    }
}
