using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Scheduler.Secrets;

/// <summary>The file with the key that seals the secrets of the database: 32 bytes, mode 0600, the same on all nodes. While the key is
/// exchanged it holds both, the former one first.</summary>
/// <param name="path">The setting Secrets:KeyFile.</param>
/// <param name="clock">Names the temporary file.</param>
sealed class KeyFile(string path, TimeProvider clock)
{
    /// <summary>Length of a key.</summary>
    public const int Bytes = 32;
    /// <summary>Most keys in a file: one, two while it is exchanged, and one more of an exchange that was cut short.</summary>
    public const int MostKeys = 4;
    const int Permissions = 0x180;   // 0600

    /// <summary>Whether it is there.</summary>
    public bool Exists => File.Exists(path);

    /// <summary>A problem of this file, as of a setting.</summary>
    public static BadInputException Wrong(string message, string hint) => new("Secrets:KeyFile", message, hint);

    /// <summary>The keys that it holds.</summary>
    /// <exception cref="BadInputException">It cannot be read, is no key, or is open to other users.</exception>
    public async Task<IReadOnlyList<byte[]>> Read(CancellationToken ct)
    {
        try
        {
            var mode = File.GetUnixFileMode(path);
            const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
            if ((mode & others) != 0) throw Wrong($"The key file {path} is open to other users.", $"Run: chmod 600 {path}");
            var keys = await File.ReadAllBytesAsync(path, ct);
            return IsKeys(keys) ? [.. keys.Chunk(Bytes)] : throw Wrong($"The key file {path} has {keys.Length} bytes.",
                $"It holds exactly {Bytes}, or twice that while the key is exchanged.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {path} cannot be read: {e.Message}", "Check its rights.");
        }
    }

    /// <summary>Whether bytes are one key or several.</summary>
    public static bool IsKeys(ReadOnlySpan<byte> bytes) => bytes.Length is > 0 and <= MostKeys * Bytes && bytes.Length % Bytes == 0;

    /// <summary>Makes it with a new key. Durable before anything is sealed with it: a lost key would lose every repository's password.
    /// </summary>
    /// <remarks>Where another node on this machine was first, its file stays.</remarks>
    /// <exception cref="BadInputException">It cannot be made.</exception>
    public void Make() => Write(RandomNumberGenerator.GetBytes(Bytes));

    /// <summary>Makes it with these keys, unless it is there.</summary>
    /// <exception cref="BadInputException">It cannot be made.</exception>
    public void Write(ReadOnlySpan<byte> keys) => Write(keys, replace: false);

    /// <summary>Puts these keys in place of those that it holds; at no moment is there none.</summary>
    /// <exception cref="BadInputException">It cannot be written.</exception>
    public void Replace(ReadOnlySpan<byte> keys) => Write(keys, replace: true);

    void Write(ReadOnlySpan<byte> keys, bool replace)
    {
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(path));
        byte[] temporary = [.. name, .. Encoding.ASCII.GetBytes($".{clock.GetUtcNow().Ticks:x}-{Environment.ProcessId:x}")];
        try
        {
            var parent = Path.GetDirectoryName(path)!;
            if (!Directory.Exists(parent)) Directory.CreateDirectory(parent,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var folder = Descriptor.OpenFolder(FilePath.FromText(parent));
            const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
            using (var file = folder.OpenAt(temporary, flags, Permissions))
            {
                file.WriteAt(0, keys);
                file.Sync();
            }
            if (replace) folder.Rename(temporary, folder, name);
            else if (folder.TryRenameNew(temporary, name) != Errno.None) folder.TryRemove(temporary);
            folder.Sync();
        }
        catch (Exception e) when (e is PosixException or IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {path} cannot be written: {e.Message}", "Check the rights of its folder.");
        }
    }
}
