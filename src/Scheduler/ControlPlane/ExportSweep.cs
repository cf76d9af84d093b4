using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Storage;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Removes entries that are older than anybody goes back, and parts that no entry needs, once a day and place.</summary>
/// <remarks>A part goes only when two sweeps in a row, a day apart, found that nothing needs it: an export that another node is in the
/// middle of may name it. A place that refuses deletions keeps everything; that is no fault.</remarks>
sealed class ExportSweep(Postgres db, Guid installation, ExportBox box)
{
    /// <summary>Entries that stay in any case: the newest.</summary>
    public const int Newest = 100;

    /// <summary>Of the older ones every so many-th, and of these so many: at twelve an hour about three states of each day, for a
    /// month.</summary>
    const int Stride = 100, MostOlder = 100;

    /// <summary>Sweeps the places where it is due.</summary>
    public async Task Run(IReadOnlyList<ExportPlace> places, CancellationToken ct)
    {
        var due = await ExportTable.Unswept(db, ct);
        foreach (var place in places.Where(place => place.IsUsable && due.ContainsKey(place.Key)))
        {
            try { await ExportTable.Swept(db, place.Key, await Sweep(place, due[place.Key], ct), ct); }
            catch (Exception e) when (e is StoreException or ConflictException)
            {
                // Append-only places refuse, and an entry of somebody else's does not open: both keep what they have, and are asked
                // tomorrow.
                await ExportTable.Swept(db, place.Key, [], ct);
            }
        }
    }

    async Task<IReadOnlyList<string>> Sweep(ExportPlace place, HashSet<string> doomed, CancellationToken ct)
    {
        var store = place.Store!;
        var entries = place.Entries.OrderDescending().ToList();
        var kept = Kept(entries).ToHashSet();
        foreach (var (term, seq) in entries.Where(entry => !kept.Contains(entry)))
            await store.Delete(ExportNames.Entry(installation, term, seq), ct);
        var needed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (term, seq) in kept)
        {
            var name = ExportNames.Entry(installation, term, seq);
            var (_, entry) = SignedEntry.Read(name.Value, box.Open(name.Value, await ReadExport.Whole(store, name, ct)), signer: null);
            needed.UnionWith(entry.Parts.Select(part => part.Object));
        }
        var free = place.Parts.Where(part => !needed.Contains(part)).ToList();
        foreach (var part in free.Where(doomed.Contains)) await store.Delete(ExportNames.Part(installation, part), ct);
        return [.. free.Where(part => !doomed.Contains(part))];
    }

    /// <summary>Which of the entries stay, newest first.</summary>
    internal static IEnumerable<(long Term, long Seq)> Kept(IReadOnlyList<(long Term, long Seq)> newestFirst)
        => newestFirst.Take(Newest).Concat(newestFirst.Skip(Newest).Where(entry => entry.Seq % Stride == 0).Take(MostOlder));
}
