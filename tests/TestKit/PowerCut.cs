using System.Runtime.InteropServices;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>Stops an ext4 file system as a power cut would: what is in memory only, log included, is gone.</summary>
public static class PowerCut
{
    const uint Ext4Shutdown = 0x8004587D;   // EXT4_IOC_SHUTDOWN = _IOR('X', 125, __u32)

    /// <summary>Cuts the power of the file system that is mounted there. Mounted again it shows what a restart would show.</summary>
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
