using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.Replicas;

namespace BackupDr.Engine.Upkeep;

/// <summary>The passwords of a repository: one key file each, all leading to the same master key.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-4. Removing a key takes nothing from somebody who copied the master key before.</remarks>
public static class RepositoryKeys
{
    const int MaximumBytes = 1 << 20;

    /// <summary>All key files, by id.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    public static async Task<IReadOnlyList<(BlobId Id, KeyFile Key)>> List(Repository repository, CancellationToken ct)
    {
        var found = new List<(BlobId Id, KeyFile Key)>();
        await foreach (var listed in repository.Store.List(ObjectLayout.Keys, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            if (listed.SizeBytes is 0 or > MaximumBytes)
                throw RepositoryException.Damaged($"key {id}", $"a key file of {listed.SizeBytes} bytes.");
            var bytes = new byte[listed.SizeBytes];
            await repository.Store.Read(listed.Name, 0, bytes, ct);
            found.Add((id, KeyFile.Read(bytes, $"key {id}")));
        }
        return [.. found.OrderBy(key => key.Id)];
    }

    /// <summary>Removes a key file; its password no longer opens the repository.</summary>
    /// <param name="repository">An open repository; the key that opened it stays, so that one is always left.</param>
    /// <param name="idPrefix">The beginning of its id.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">No key, several keys, or the key in use.</exception>
    /// <exception cref="RepositoryException">Locked.</exception>
    public static async Task<BlobId> Remove(Repository repository, string idPrefix, CancellationToken ct)
    {
        // Exclusive: two processes that remove each other's key at the same moment would leave none.
        await using var held = await RepositoryLock.Take(repository, exclusive: true, ct);
        var keys = await List(repository, ct);
        var fitting = keys.Where(key => idPrefix.Length > 0 && key.Id.ToString().StartsWith(idPrefix, StringComparison.Ordinal)).ToList();
        if (fitting.Count != 1)
            throw new BadInputException("key",
                fitting.Count == 0 ? $"There is no key '{idPrefix}' in {repository.Store.Url}."
                    : $"'{idPrefix}' fits {fitting.Count} keys: {string.Join(", ", fitting.Select(key => key.Id.ToString()[..16]))}.",
                "List them with 'backupdr key list'.");
        if (fitting[0].Id == repository.KeyId)
            throw new BadInputException("key", $"Key {fitting[0].Id.ToString()[..8]} is the one that opened the repository just now.",
                "Open the repository with another key's password to remove it, or change it with 'backupdr key passwd'.");
        if (keys.All(key => key.Id != repository.KeyId))
            throw new BadInputException("key", "The key that opened the repository was removed meanwhile.",
                "Open it with a password that is still valid, and look again.");
        await Remove(repository, fitting[0].Id, ct);
        return fitting[0].Id;
    }

    /// <summary>Replaces the key that opened the repository by one of a new password; gives its id.</summary>
    /// <remarks>The new key is stored and opened once before the old one goes.</remarks>
    /// <exception cref="BadInputException">The password is empty.</exception>
    /// <exception cref="RepositoryException">Locked, or the new key does not open.</exception>
    public static async Task<BlobId> Replace(Repository repository, Secret password, CancellationToken ct)
    {
        await using var held = await RepositoryLock.Take(repository, exclusive: true, ct);
        var made = await repository.AddKey(password, ct);
        using (await Repository.Open(repository.Store, password, repository.Options with { ExpectedId = repository.Id }, ct))
            await Remove(repository, repository.KeyId, ct);
        return made;
    }

    static async Task Remove(Repository repository, BlobId id, CancellationToken ct)
    {
        var name = ObjectLayout.Of(ObjectLayout.Keys, id);
        await Departures.Note(repository, [name], ct);
        await repository.Store.Delete(name, ct);
    }
}
