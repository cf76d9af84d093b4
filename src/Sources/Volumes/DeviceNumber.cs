using System.Globalization;

namespace BackupDr.Sources.Volumes;

/// <summary>The number of a device as the kernel writes it in its tables.</summary>
static class DeviceNumber
{
    /// <summary>"8:17" of st_rdev as the C library packs it: 12 bits of the major and 8 of the minor number, then the rest.</summary>
    public static string Of(ulong packed)
    {
        var major = (packed >> 8 & 0xFFF) | (packed >> 32 & 0xFFFFF000);
        var minor = (packed & 0xFF) | (packed >> 12 & 0xFFFFFF00);
        return string.Create(CultureInfo.InvariantCulture, $"{major}:{minor}");
    }
}
