using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Cache;

/// <summary>A small file in what this machine keeps of a repository between runs. Disposable: whatever is wrong with it counts as none, and
/// what cannot be written is not.</summary>
/// <remarks>The SHA-256 of the content stands before it: one that is torn or changed is noticed.</remarks>
/// <param name="repository">Whose; where it keeps no cache nothing is ever found.</param>
/// <param name="name">Its name in the repository's folder, ASCII.</param>
/// <param name="maximumBytes">The largest content that is kept and read.</param>
sealed class CacheFile(Repository repository, string name, int maximumBytes)
{
    const int FilePermissions = 0x180;   // 0600

    readonly FilePath? _folder = repository.Options.CacheFolder?.Join(Encoding.ASCII.GetBytes(repository.Id));
    readonly byte[] _name = Encoding.ASCII.GetBytes(name);

    /// <summary>What was written last; empty where there is nothing that can be trusted.</summary>
    public Memory<byte> Read()
    {
        if (_folder is not { } folder) return Memory<byte>.Empty;
        try
        {
            using var file = Descriptor.Open(folder.Join(_name), OpenFlags.ReadOnly | OpenFlags.NoFollow);
            var size = file.Stat().SizeBytes;
            if (size < SHA256.HashSizeInBytes || size > SHA256.HashSizeInBytes + (long)maximumBytes) return Memory<byte>.Empty;
            var bytes = new byte[size];
            if (file.FillAt(0, bytes) < bytes.Length) return Memory<byte>.Empty;
            var content = bytes.AsMemory(SHA256.HashSizeInBytes);
            return SHA256.HashData(content.Span).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes)) ? content
                : Memory<byte>.Empty;
        }
        catch (PosixException) { return Memory<byte>.Empty; }   // none yet, or a disk that fails: the store is asked
    }

    /// <summary>Replaces what was written, where that can be done.</summary>
    public void Write(ReadOnlySpan<byte> content)
    {
        if (_folder is not { } folder || content.Length > maximumBytes) return;
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
