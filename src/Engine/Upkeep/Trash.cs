using System.Globalization;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>Where repairs put what they replace: <c>x-backupdr/trash/day/name</c>. A prune empties what is older than a month.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-12.7.</remarks>
static class Trash
{
    const string Folder = "x-backupdr/trash";
    const int KeptDays = 30;
    const string DayFormat = "yyyyMMdd";

    /// <summary>Copies an object into the trash, then deletes it.</summary>
    /// <exception cref="StoreException">The copy failed; the object is where it was.</exception>
    public static Task Move(Repository repository, StoredObject old, CancellationToken ct)
        => Move(repository.Store, repository.Options.Clock, old, ct);

    /// <summary>The same where the repository does not open.</summary>
    /// <exception cref="StoreException">The copy failed; the object is where it was.</exception>
    public static async Task Move(IObjectStore store, TimeProvider clock, StoredObject old, CancellationToken ct)
    {
        var bytes = new byte[old.SizeBytes];
        await store.Read(old.Name, 0, bytes, ct);
        var day = clock.GetUtcNow().ToString(DayFormat, CultureInfo.InvariantCulture);
        try { await store.Put(new ObjectName($"{Folder}/{day}/{old.Name}"), bytes, ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { /* A repair that was interrupted put it there. */ }
        await store.Delete(old.Name, ct);
    }

    /// <summary>Removes what has been there for longer than <see cref="KeptDays"/> days.</summary>
    public static async Task Empty(Repository repository, CancellationToken ct)
    {
        var oldest = repository.Options.Clock.GetUtcNow().UtcDateTime.Date.AddDays(-KeptDays);
        await foreach (var listed in repository.Store.List(Folder, ct))
        {
            var day = listed.Name.Value[(Folder.Length + 1)..].Split('/')[0];
            if (DateTime.TryParseExact(day, DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal
                | DateTimeStyles.AdjustToUniversal, out var moved) && moved < oldest)
                await repository.Store.Delete(listed.Name, ct);
        }
    }
}
