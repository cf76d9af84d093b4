using BackupDr.Contracts;

namespace BackupDr.Sources.Volumes;

/// <summary>One line of the kernel's table of mounts.</summary>
/// <param name="Path">Mount point.</param>
/// <param name="FileSystem">"xfs", "btrfs".</param>
/// <param name="Device">What is mounted, as the kernel writes it: "/dev/sda1".</param>
/// <param name="Number">The device's number, "8:1"; of Btrfs one of its own that no device has.</param>
/// <param name="Root">Folder or subvolume of the file system that stands at the mount point; "/" for all of it.</param>
/// <param name="IsReadOnly">Whether it was mounted to be read only.</param>
public sealed record MountPoint(FilePath Path, string FileSystem, string Device, string Number, FilePath Root, bool IsReadOnly);

/// <summary>What is mounted where.</summary>
public static class MountTable
{
    const string Place = "/proc/self/mountinfo";
    const int LargestBytes = 8 << 20;

    /// <summary>All mounts, in the order in which they were made: a later one hides an earlier one at the same place.</summary>
    public static IReadOnlyList<MountPoint> Read() => Parse(Disk.TryRead(Place, LargestBytes) ?? []);

    /// <summary>The mount that a path lies on; of several at one place the last.</summary>
    /// <param name="mounts">All.</param>
    /// <param name="path">Absolute path without links.</param>
    public static MountPoint? Of(IReadOnlyList<MountPoint> mounts, FilePath path)
        => mounts.Where(mount => IsWithin(path, mount.Path)).MaxBy(mount => (mount.Path.Parts().Count, Index(mounts, mount)));

    static int Index(IReadOnlyList<MountPoint> mounts, MountPoint mount)
    {
        for (var at = mounts.Count - 1; at >= 0; at--)
            if (ReferenceEquals(mounts[at], mount)) return at;
        return -1;
    }

    /// <summary>Whether a path is a folder or lies in it.</summary>
    public static bool IsWithin(FilePath path, FilePath folder)
        => folder.Parts().Count == 0 || path == folder
            || path.Bytes.StartsWith(folder.Bytes) && path.Bytes[folder.Bytes.Length..].StartsWith("/"u8);

    /// <summary>Reads the text of the table. Lines that cannot be read are left out.</summary>
    internal static IReadOnlyList<MountPoint> Parse(ReadOnlySpan<byte> text)
    {
        var mounts = new List<MountPoint>();
        foreach (var range in text.Split((byte)'\n'))
            if (Line(text[range]) is { } mount) mounts.Add(mount);
        return mounts;
    }

    // number parent major:minor root place options [optional …] - kind device options
    static MountPoint? Line(ReadOnlySpan<byte> line)
    {
        var words = new List<byte[]>();
        foreach (var range in line.Split((byte)' ')) words.Add(line[range].ToArray());
        var dash = words.FindIndex(6 <= words.Count ? 6 : words.Count, word => word.AsSpan().SequenceEqual("-"u8));
        return dash < 0 || words.Count < dash + 3 ? null
            : new MountPoint(Unescaped(words[4]), Unescaped(words[dash + 1]).ToString(), Unescaped(words[dash + 2]).ToString(),
                Unescaped(words[2]).ToString(), Unescaped(words[3]),
                Unescaped(words[5]).ToString().Split(',').Contains("ro", StringComparer.Ordinal));
    }

    // Space, tab, newline and backslash are written as a backslash and three octal digits.
    static FilePath Unescaped(byte[] word)
    {
        var bytes = new List<byte>(word.Length);
        for (var at = 0; at < word.Length; at++)
        {
            if (word[at] == '\\' && at + 3 < word.Length && Octal(word.AsSpan(at + 1, 3)) is { } value)
            {
                bytes.Add(value);
                at += 3;
            }
            else bytes.Add(word[at]);
        }
        return new FilePath([.. bytes]);
    }

    static byte? Octal(ReadOnlySpan<byte> digits)
    {
        var value = 0;
        foreach (var digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7') return null;
            value = value * 8 + (digit - '0');
        }
        return value <= byte.MaxValue ? (byte)value : null;
    }
}
