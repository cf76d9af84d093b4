using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>What is found on this host.</summary>
static class Inventory
{
    static readonly string[] NotOnDisk = ["proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "cgroup", "cgroup2", "overlay", "squashfs",
        "mqueue", "debugfs", "tracefs", "securityfs", "pstore", "bpf", "configfs", "fusectl", "hugetlbfs", "autofs", "nsfs", "rpc_pipefs",
        "binfmt_misc", "ramfs"];

    /// <summary>Looks.</summary>
    public static InventoryRequest Look()
    {
        var mounts = new List<MountFound>();
        foreach (var drive in DriveInfo.GetDrives())
        {
            try
            {
                if (!drive.IsReady || NotOnDisk.Contains(drive.DriveFormat) || mounts.Count >= 200) continue;
                mounts.Add(new MountFound(FilePath.FromText(drive.RootDirectory.FullName), drive.DriveFormat, drive.TotalSize,
                    drive.AvailableFreeSpace));
            }
            // unmounted meanwhile, or not for us to see
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { continue; }
        }
        return new InventoryRequest
        {
            Mounts = mounts,
            Processors = Environment.ProcessorCount,
            MemoryBytes = GC.GetGCMemoryInfo()
            .TotalAvailableMemoryBytes
        };
    }

    /// <summary>Load average over one minute.</summary>
    public static double Load()
    {
        const string file = "/proc/loadavg";
        return File.Exists(file) && double.TryParse(File.ReadAllText(file).Split(' ')[0], CultureInfo.InvariantCulture, out var load)
            ? load : 0;
    }
}
