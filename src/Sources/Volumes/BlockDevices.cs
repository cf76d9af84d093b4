using System.Globalization;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Volumes;

/// <summary>A block device of this host.</summary>
/// <param name="Path">"/dev/sdb1".</param>
/// <param name="Number">"8:17".</param>
/// <param name="SizeBytes">Its size.</param>
/// <param name="Use">Who has it: "mounted at /srv", "swap", "part of dm-0"; "" where nobody is seen.</param>
public sealed record BlockDevice(string Path, string Number, long SizeBytes, string Use);

/// <summary>Looks at the block devices of this host.</summary>
public static class BlockDevices
{
    const string Root = "/sys/class/block";
    const int SectorBytes = 512;   // the kernel tells sizes in these, whatever the device's own are

    /// <summary>All that hold anything, but for disks that are divided: those are their partitions.</summary>
    public static IReadOnlyList<BlockDevice> List()
    {
        var mounts = MountTable.Read();
        var swaps = (Disk.TryReadText("/proc/swaps") ?? "").Split('\n').Skip(1).Select(line => line.Split(' ', '\t')[0]).ToHashSet();
        var devices = new List<BlockDevice>();
        foreach (var (name, _) in Disk.List(Root).OrderBy(entry => entry.Name, StringComparer.Ordinal))
            if (Look(name, mounts, swaps) is { } device) devices.Add(device);
        return devices;
    }

    /// <summary>One by its number; null where there is none.</summary>
    public static BlockDevice? Find(string number) => List().FirstOrDefault(device => device.Number == number);

    /// <summary>The loop devices over a file.</summary>
    public static IReadOnlyList<BlockDevice> BackedBy(string file)
        => [.. List().Where(device => Fact(device.Path[(device.Path.LastIndexOf('/') + 1)..], "loop/backing_file") == file)];

    static BlockDevice? Look(string name, IReadOnlyList<MountPoint> mounts, HashSet<string> swaps)
    {
        var number = Fact(name, "dev");
        if (number is null || !long.TryParse(Fact(name, "size"), CultureInfo.InvariantCulture, out var sectors)) return null;
        if (sectors <= 0 || name.StartsWith("ram", StringComparison.Ordinal)
            || name.StartsWith("zram", StringComparison.Ordinal)) return null;
        var parts = Disk.List($"{Root}/{name}");
        if (parts.Any(part => part.Name.StartsWith(name, StringComparison.Ordinal) && Disk.Exists($"{Root}/{name}/{part.Name}/partition")))
            return null;
        var path = $"/dev/{name.Replace('!', '/')}";
        return Disk.Exists(path) ? new BlockDevice(path, number, sectors * SectorBytes, Use(name, path, number, mounts, swaps)) : null;
    }

    static string Use(string name, string path, string number, IReadOnlyList<MountPoint> mounts, HashSet<string> swaps)
    {
        // Btrfs and a few others give their mounts numbers of their own: those are known by the device's path.
        if (mounts.FirstOrDefault(mount => mount.Number == number || mount.Device == path) is { } mounted)
            return $"mounted at {mounted.Path}";
        if (swaps.Contains(path)) return "swap";
        return Disk.List($"{Root}/{name}/holders") is [var holder, ..] ? $"part of {holder.Name}" : "";
    }

    static string? Fact(string name, string fact)
    {
        try { return Disk.TryReadText($"{Root}/{name}/{fact}")?.Trim(); }
        catch (PosixException) { return null; }   // taken out meanwhile
    }
}
