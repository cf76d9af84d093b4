using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine;

/// <summary>Objects of ours beside what restic reads, below <c>x-backupdr/</c>: compressed, and sealed with the repository's key.</summary>
public static class SealedObjects
{
    const long LargestBytes = 64 << 20;

    /// <summary>Stores bytes under a name.</summary>
    /// <returns>False where there is an object of this name already; it is left as it is.</returns>
    /// <exception cref="StoreException">The store failed.</exception>
    public static async Task<bool> Put(Repository repository, ObjectName name, ReadOnlyMemory<byte> plain, CancellationToken ct)
    {
        var bench = repository.RentBench();
        byte[] stored;
        try { stored = UnpackedFile.Write(plain.Span, bench.Box, bench.Codec); }
        finally { repository.ReturnBench(bench); }
        try { await repository.Store.Put(name, stored, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { return false; }
        return true;
    }

    /// <summary>Reads one; null where it went since it was listed.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    /// <exception cref="StoreException">The store failed.</exception>
    public static async Task<ReadOnlyMemory<byte>?> Read(Repository repository, StoredObject listed, CancellationToken ct)
    {
        if (listed.SizeBytes > LargestBytes) throw RepositoryException.Damaged(listed.Name.Value,
            $"{listed.SizeBytes} bytes are too many.");
        var stored = new byte[listed.SizeBytes];
        try { await repository.Store.Read(listed.Name, 0, stored, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Missing) { return null; }
        var bench = repository.RentBench();
        try { return UnpackedFile.Read(stored, bench.Box, bench.Codec, listed.Name.Value); }
        finally { repository.ReturnBench(bench); }
    }
}
