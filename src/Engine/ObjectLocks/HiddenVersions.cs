using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.ObjectLocks;

/// <summary>Objects that were deleted and whose content the bucket keeps: removed for good once their retention is over.</summary>
/// <remarks>Only names that nobody can read any more are touched. An older version below one that is there may be the better one, where
/// somebody overwrote it.</remarks>
sealed class HiddenVersions(Repository repository, RetentionBook book)
{
    static readonly string[] Folders =
        [ObjectLayout.Data, ObjectLayout.Index, ObjectLayout.Snapshots, ObjectLayout.Keys, ObjectLayout.Locks, "x-backupdr"];

    readonly Lock _gate = new();

    /// <summary>Bytes that were removed, or would be.</summary>
    public long FreedBytes { get; private set; }
    /// <summary>What has to stay for now.</summary>
    public LockedSpace Locked { get; private set; } = new();

    /// <summary>Looks at all hidden versions, and removes those that may go.</summary>
    /// <exception cref="StoreException">Denied: the credentials may not list or remove versions.</exception>
    public async Task Run(bool removes, CancellationToken ct)
    {
        if (repository.Store.Versions is not { } versions) return;
        foreach (var folder in Folders)
            await ParallelWork.Run(Hidden(versions, folder, ct), RetentionBook.AtOnce, async (hidden, token) =>
            {
                var stays = false;
                foreach (var version in hidden.Where(version => !version.IsDeletion))
                    stays |= !await TryRemove(versions, version, removes, token);
                // The mark of the deletion last: without it the object would be there again.
                if (stays || !removes) return;
                foreach (var mark in hidden.Where(version => version.IsDeletion)) await versions.Remove(mark.Object.Name, mark.Id, token);
            }, ct);
    }

    async Task<bool> TryRemove(IObjectVersions versions, ListedVersion version, bool removes, CancellationToken ct)
    {
        if (await versions.KeptUntil(version.Object.Name, version.Id, ct) is { } until && until > book.Now)
        {
            lock (_gate) Locked = Locked.And(version.Object.SizeBytes, until);
            return false;
        }
        if (removes) await versions.Remove(version.Object.Name, version.Id, ct);
        lock (_gate) FreedBytes += version.Object.SizeBytes;
        return true;
    }

    static async IAsyncEnumerable<List<ListedVersion>> Hidden(IObjectVersions versions, string folder,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var one = new List<ListedVersion>();
        await foreach (var version in versions.List(folder, ct))
        {
            if (one.Count > 0 && one[0].Object.Name != version.Object.Name)
            {
                if (IsHidden(one)) yield return one;
                one = [];
            }
            one.Add(version);
        }
        if (IsHidden(one)) yield return one;
    }

    static bool IsHidden(List<ListedVersion> versions) => versions.Exists(version => version is { IsLatest: true, IsDeletion: true });
}
