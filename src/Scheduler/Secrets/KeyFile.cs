using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Scheduler.Secrets;

/// <summary>The file with the key that seals the secrets of the database: 32 bytes, mode 0600, the same on all nodes.</summary>
/// <param name="path">The setting Secrets:KeyFile.</param>
/// <param name="clock">Names the temporary file.</param>
sealed class KeyFile(string path, TimeProvider clock)
{
    /// <summary>Length of the key.</summary>
    public const int Bytes = 32;
    const int Permissions = 0x180;   // 0600

    /// <summary>Whether it is there.</summary>
    public bool Exists => File.Exists(path);

    /// <summary>A problem of this file, as of a setting.</summary>
    public static BadInputException Wrong(string message, string hint) => new("Secrets:KeyFile", message, hint);

    /// <summary>What it holds.</summary>
    /// <exception cref="BadInputException">It cannot be read, is no key, or is open to other users.</exception>
    public async Task<byte[]> Read(CancellationToken ct)
    {
        try
        {
            var mode = File.GetUnixFileMode(path);
            const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
            if ((mode & others) != 0) throw Wrong($"The key file {path} is open to other users.", $"Run: chmod 600 {path}");
            var key = await File.ReadAllBytesAsync(path, ct);
            return key.Length == Bytes ? key : throw Wrong($"The key file {path} has {key.Length} bytes.", $"It holds exactly {Bytes}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {path} cannot be read: {e.Message}", "Check its rights.");
        }
    }

    /// <summary>Makes it with a new key. Durable before anything is sealed with it: a lost key would lose every repository's password.
    /// </summary>
    /// <remarks>Where another node on this machine was first, its file stays.</remarks>
    /// <exception cref="BadInputException">It cannot be made.</exception>
    public void Make() => Write(RandomNumberGenerator.GetBytes(Bytes));

    /// <summary>Makes it with this key, unless it is there.</summary>
    /// <exception cref="BadInputException">It cannot be made.</exception>
    public void Write(ReadOnlySpan<byte> key)
    {
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(path));
        byte[] temporary = [.. name, .. Encoding.ASCII.GetBytes($".{clock.GetUtcNow().Ticks:x}")];
        try
        {
            var parent = Path.GetDirectoryName(path)!;
            if (!Directory.Exists(parent)) Directory.CreateDirectory(parent,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var folder = Descriptor.OpenFolder(FilePath.FromText(parent));
            const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
            using (var file = folder.OpenAt(temporary, flags, Permissions))
            {
                file.WriteAt(0, key);
                file.Sync();
            }
            if (folder.TryRenameNew(temporary, name) != Errno.None) folder.TryRemove(temporary);
            folder.Sync();
        }
        catch (Exception e) when (e is PosixException or IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {path} cannot be made: {e.Message}", "Check the rights of its folder.");
        }
    }
}
