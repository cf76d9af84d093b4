using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Folder;

/// <summary>Names of files that are being written: the final name, "-tmp-" and 16 random hex digits. Stock restic's own end in
/// digits.</summary>
static class TemporaryName
{
    static readonly TimeSpan StaleAfter = TimeSpan.FromDays(1);
    static readonly SearchValues<char> Hex = SearchValues.Create("0123456789abcdef");

    public static byte[] Make(ReadOnlySpan<byte> finalName)
    {
        // Room for the ending: a name has at most 255 bytes. Randomness tells two writers of one object apart.
        var head = finalName[..Math.Min(finalName.Length, 230)];
        Span<byte> random = stackalloc byte[8];
        RandomNumberGenerator.Fill(random);
        return [.. head, .. "-tmp-"u8, .. Encoding.ASCII.GetBytes(Convert.ToHexStringLower(random))];
    }

    public static bool Matches(ReadOnlySpan<char> name)
    {
        var at = name.LastIndexOf("-tmp-");
        return at >= 0 && at + 5 < name.Length && !name[(at + 5)..].ContainsAnyExcept(Hex);
    }

    /// <summary>Removes temporary files that nobody can be writing any more. What cannot be removed stays: it hurts nobody.</summary>
    public static void RemoveStale(Descriptor folder, DateTimeOffset now)
    {
        // The reader moves the descriptor's position, so it gets its own.
        if (folder.TryOpenAt("."u8, OpenFlags.ReadOnly | OpenFlags.Folder, 0, out var again) != Errno.None) return;
        using (again!)
        {
            var oldest = (now - StaleAfter).ToUnixTimeSeconds();
            var reader = new FolderReader(again!);
            try
            {
                while (reader.Next(out var name, out var kind))
                    if (kind == FileKind.File && Matches(Encoding.Latin1.GetString(name))
                        && folder.TryStatAt(name, follow: false, out var status) == Errno.None && status.ModifiedAt.Seconds < oldest)
                        folder.TryRemove(name);
            }
            finally { reader.Dispose(); }
        }
    }
}
