using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.ObjectLocks;

/// <summary>What this machine knows of a repository's retentions, in the folder of its index cache. Disposable.</summary>
/// <remarks>Lines of a name and seconds since 1970, behind the SHA-256 of them: one that is torn or changed counts as none.</remarks>
sealed class RetentionMemory
{
    /// <summary>Largest file that is read: about three million objects.</summary>
    const int MaximumBytes = 256 << 20;
    const int FilePermissions = 0x180;   // 0600

    readonly FilePath? _folder;
    readonly byte[] _name;

    public RetentionMemory(Repository repository)
    {
        _folder = repository.Options.CacheFolder?.Join(Encoding.ASCII.GetBytes(repository.Id));
        // The same repository in another place has retentions of its own.
        var place = SHA256.HashData(Encoding.UTF8.GetBytes(repository.Store.Url));
        _name = Encoding.ASCII.GetBytes($"retention-{Convert.ToHexStringLower(place.AsSpan(0, 8))}");
    }

    /// <summary>What was written; empty where there is nothing that can be trusted.</summary>
    public Dictionary<ObjectName, DateTimeOffset> Read()
    {
        var found = new Dictionary<ObjectName, DateTimeOffset>();
        if (_folder is not { } folder) return found;
        foreach (var line in Encoding.ASCII.GetString(Content(folder.Join(_name))).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (line.Split(' ') is [var name, var seconds] && ObjectName.IsLegal(name)
                && long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var until)
                && until <= DateTimeOffset.MaxValue.ToUnixTimeSeconds())
                found[new ObjectName(name)] = DateTimeOffset.FromUnixTimeSeconds(until);
        return found;
    }

    static ReadOnlySpan<byte> Content(FilePath path)
    {
        try
        {
            using var file = Descriptor.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
            var size = file.Stat().SizeBytes;
            if (size is < SHA256.HashSizeInBytes or > MaximumBytes) return [];
            var bytes = new byte[size];
            if (file.FillAt(0, bytes) < bytes.Length) return [];
            var content = bytes.AsSpan(SHA256.HashSizeInBytes);
            return SHA256.HashData(content).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes)) ? content : [];
        }
        catch (PosixException) { return []; }   // none yet, or a disk that fails: the store is asked
    }

    /// <summary>Replaces what was written, where that can be done.</summary>
    public void Write(IEnumerable<KeyValuePair<ObjectName, DateTimeOffset>> known)
    {
        if (_folder is not { } folder) return;
        var text = new StringBuilder();
        // Rounded down: what is remembered must not be later than what is so.
        foreach (var (name, until) in known) text.Append(CultureInfo.InvariantCulture, $"{name} {until.ToUnixTimeSeconds()}\n");
        var content = Encoding.ASCII.GetBytes(text.ToString());
        byte[] scratch = [.. _name, .. Encoding.ASCII.GetBytes($".{RandomNumberGenerator.GetHexString(16)}")];
        try
        {
            using var place = PrivateFolder.Open(folder);
            try
            {
                using (var file = place.OpenAt(scratch, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow,
                    FilePermissions))
                {
                    file.WriteAt(0, SHA256.HashData(content));
                    file.WriteAt(SHA256.HashSizeInBytes, content);
                }
                place.Rename(scratch, place, _name);
            }
            finally { place.TryRemove(scratch); }   // gone already where it was put in its place
        }
        catch (PosixException) { /* No room or no right: the next run asks the store again. */ }
    }
}
