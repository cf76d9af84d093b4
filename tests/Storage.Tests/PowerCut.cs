using System.Runtime.InteropServices;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Tests;

/// <summary>Stops an ext4 file system as a power cut would: what is in memory only, log included, is gone.</summary>
static class PowerCut
{
    const uint Ext4Shutdown = 0x8004587D;   // EXT4_IOC_SHUTDOWN = _IOR('X', 125, __u32)

    public static void At(string mountPoint)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(mountPoint));
        var withoutLogFlush = 2;
        Assert.Equal(0, ioctl(folder, Ext4Shutdown, ref withoutLogFlush));
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    static extern int ioctl(Descriptor fd, nuint request, ref int flags);
}
