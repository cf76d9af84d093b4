using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>Says what stands in the way of the backup of a disk or a disk image.</summary>
public static class VolumePreflight
{
    /// <summary>Looks; changes nothing.</summary>
    /// <param name="path">Absolute path of a block device, or of a file with an image.</param>
    /// <param name="inUse">Whether one that is written to is taken all the same.</param>
    public static IReadOnlyList<Finding> Look(string path, bool inUse = false)
    {
        if (!path.StartsWith('/'))
            return [new("volume.path", $"'{path}' is no absolute path.", "Write it from the root: /dev/sdb or /srv/vm/disk.img.")];
        FileStatus status;
        try
        {
            status = Descriptor.StatOf(FilePath.FromText(path), follow: true);
            if (status.Kind is FileKind.File or FileKind.BlockDevice)
                Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking).Dispose();
        }
        catch (PosixException e) { return [new("volume.missing", $"{path}: {e.Message}", "Check the path; devices are read as root.")]; }
        if (status.Kind is not (FileKind.File or FileKind.BlockDevice))
            return [new("volume.no_volume", $"{path} is neither a block device nor a file.",
                "Name a device, or the file of an image. Folders are backed up as files.")];
        if (status.Kind == FileKind.File && Descriptor.StatOf(FilePath.FromText(path)).Kind == FileKind.Symlink)
            return [new("volume.link", $"{path} is a link to a file.", "Name the file that it leads to.")];
        return Use(path, status) is not { } use ? []
            : [new("volume.in_use", $"{path} is {use}: what is written while it is read makes a mix of old and new.",
                "Unmount it, mount it read-only, stop the virtual machine, or back up a snapshot of it (LVM, ZFS).",
                inUse ? FindingSeverity.Warning : FindingSeverity.Blocking)];
    }

    /// <summary>Who may write to it; null where nobody is seen.</summary>
    static string? Use(string path, FileStatus status)
    {
        var mounts = MountTable.Read();
        if (status.Kind == FileKind.BlockDevice) return Writers(DeviceNumber.Of(status.Device), mounts);
        foreach (var loop in BlockDevices.BackedBy(path))
            if (Writers(loop.Number, mounts) is { } use) return $"the disk {loop.Path}, which is {use}";
        return OpenFiles.By(path) is { } pid ? $"open in process {pid}" : null;
    }

    static string? Writers(string number, IReadOnlyList<MountPoint> mounts)
    {
        if (BlockDevices.Find(number) is not { Use.Length: > 0 } device) return null;
        // One that is mounted to be read only changes no more.
        var all = mounts.Where(mount => mount.Number == number || mount.Device == device.Path).ToList();
        return all.Count > 0 && all.All(mount => mount.IsReadOnly) ? null : device.Use;
    }
}
