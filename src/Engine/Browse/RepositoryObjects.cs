using System.Runtime.CompilerServices;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Browse;

/// <summary>The single objects of a repository, for people who look into one.</summary>
public static class RepositoryObjects
{
    /// <summary>Ids of all objects of a folder, in the store's order.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="folder">One of <see cref="ObjectLayout"/>'s folders.</param>
    /// <param name="ct">Cancels.</param>
    public static async IAsyncEnumerable<BlobId> List(Repository repository, string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var listed in repository.Store.List(folder, ct))
            if (ObjectLayout.TryId(listed, out var id)) yield return id;
    }

    /// <summary>The one object that is meant.</summary>
    /// <exception cref="BadInputException">None, or several; these are named.</exception>
    public static async Task<BlobId> Find(Repository repository, string folder, string idPrefix, CancellationToken ct)
    {
        var fitting = new List<BlobId>();
        await foreach (var id in List(repository, folder, ct))
            if (id.ToString().StartsWith(idPrefix, StringComparison.Ordinal)) fitting.Add(id);
        if (fitting.Count == 1 && idPrefix.Length > 0) return fitting[0];
        throw new BadInputException("id", fitting.Count == 0 ? $"There is no '{idPrefix}' in {folder} of {repository.Store.Url}."
            : $"'{idPrefix}' fits {fitting.Count} objects in {folder}: "
                + string.Join(", ", fitting.Take(8).Select(id => id.ToString()[..16])) + ".",
            $"List them with 'backupdr list {(folder == ObjectLayout.Data ? "packs" : folder)}'.");
    }

    /// <summary>The JSON inside a sealed object; a key file's as it is stored.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadJson(Repository repository, string folder, BlobId id, CancellationToken ct)
        => folder == ObjectLayout.Keys ? await ReadStored(repository, ObjectLayout.Of(folder, id), ct)
            : await repository.ReadUnpacked(folder, id, ct);

    /// <summary>The config's JSON.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadConfig(Repository repository, CancellationToken ct)
    {
        var stored = await ReadStored(repository, ObjectLayout.Config, ct);
        var bench = repository.RentBench();
        try
        {
            return bench.Box.TryOpen(stored, out var json) ? json.ToArray()
                : throw RepositoryException.Damaged("config", "it does not open with the repository's key; bytes were changed.");
        }
        finally { repository.ReturnBench(bench); }
    }

    /// <summary>An object's bytes as they are stored.</summary>
    /// <exception cref="StoreException">Missing, or the store failed.</exception>
    public static async Task<byte[]> ReadStored(Repository repository, ObjectName name, CancellationToken ct)
    {
        var head = await repository.Store.Head(name, ct) ?? throw new StoreException(StoreFault.Missing,
            $"read {name} in {repository.Store.Url}: there is no such object");
        var stored = new byte[head.SizeBytes];
        await repository.Store.Read(name, 0, stored, ct);
        return stored;
    }

    /// <summary>Every pack with its blobs, as the index files list them; a pack that several files list comes several times.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async IAsyncEnumerable<IndexedPack> Packs(Repository repository, [EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var id in repository.IndexIds(ct))
            foreach (var pack in IndexFile.Read((await repository.ReadUnpacked(ObjectLayout.Index, id, ct)).Span, $"index {id}"))
                yield return pack;
    }
}
